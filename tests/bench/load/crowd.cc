#include "tests/bench/load/crowd.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace observeai::bench {
namespace {

constexpr std::chrono::milliseconds kTick(20);

}  // namespace

Result<std::unique_ptr<Crowd>> Crowd::create(const Roster& roster, std::size_t count,
                                             std::uint16_t port) {
  if (count > roster.agents.size()) return Error(Errc::kInvalid, "the roster has fewer agents");
  std::unique_ptr<Crowd> crowd(new Crowd());
  crowd->epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  TRY(crowd->context_, make_client_context(roster.server_ca_pem));
  for (std::size_t i = 0; i < count; ++i) {
    crowd->agents_.push_back(std::make_unique<SimulatedAgent>(
        i, roster.agents[i], crowd->epoll_fd_, *crowd->context_, port, crowd->measures_));
  }
  return crowd;
}

Crowd::~Crowd() {
  agents_.clear();
  ::close(epoll_fd_);
}

void Crowd::connect_all() {
  for (auto& agent : agents_) agent->connect();
}

bool Crowd::run_until(const std::function<bool()>& done, std::chrono::milliseconds patience,
                      const std::function<void(SteadyTime)>& every_tick) {
  const SystemClock clock;
  const auto give_up = clock.steady_now() + patience;
  SteadyTime next_tick{};
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_fd_, events.data(), events.size(), 5);
    for (int i = 0; i < count; ++i) static_cast<MqttLink*>(events[i].data.ptr)->ready();
    const auto now = clock.steady_now();
    if (now < next_tick) continue;
    next_tick = now + kTick;
    if (every_tick) every_tick(now);
    for (auto& agent : agents_) agent->tick(now);
    if (done()) return true;
    if (now >= give_up) return false;
  }
}

std::size_t Crowd::live() const {
  return static_cast<std::size_t>(std::count_if(
      agents_.begin(), agents_.end(), [](const auto& agent) { return agent->is_live(); }));
}

bool Crowd::is_settled() const {
  return std::all_of(agents_.begin(), agents_.end(),
                     [](const auto& agent) { return agent->is_settled(); });
}

}  // namespace observeai::bench
