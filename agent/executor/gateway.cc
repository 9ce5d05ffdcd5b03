#include "agent/executor/gateway.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <list>

#include "agent/executor/gateway_exchange.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent::executor {

namespace {

constexpr int kBacklog = 16;
constexpr mode_t kSocketMode = 0660;
constexpr unsigned kFolderMode = 0755;

bool may_ask(int socket, const std::vector<uid_t>& allowed) {
  struct ucred peer {};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0) return true;
  if (std::find(allowed.begin(), allowed.end(), peer.uid) != allowed.end()) return true;
  log::warning("user " + std::to_string(peer.uid) + " (process " + std::to_string(peer.pid) +
               ") may not ask the gateway");
  return false;
}

class Gateway {
 public:
  Gateway(int listener, const Clock& clock, const GatewayOptions& options)
      : listener_(listener), clock_(clock), options_(options) {}

  Result<void> run(int stop_fd) {
    std::vector<pollfd> events;
    for (;;) {
      events.assign({{stop_fd, POLLIN, 0}, {listener_, POLLIN, 0}});
      for (const auto& exchange : exchanges_) {
        events.push_back(exchange.client_interest());
        events.push_back(exchange.engine_interest());
      }
      if (::poll(events.data(), events.size(), wait_ms()) < 0) {
        if (errno == EINTR) continue;
        return files::from_errno("poll", errno);
      }
      if (events[0].revents != 0) return {};
      std::size_t at = 2;
      for (auto one = exchanges_.begin(); one != exchanges_.end(); at += 2) {
        const bool alive = one->turn(events[at].revents, events[at + 1].revents, may_hold());
        one = alive ? std::next(one) : exchanges_.erase(one);
      }
      if (events[1].revents != 0) accept_one();
    }
  }

 private:
  std::size_t may_hold() const {
    std::size_t held = 0;
    for (const auto& exchange : exchanges_) held += exchange.held();
    return kMaxHeldTogether - std::min(held, kMaxHeldTogether);
  }

  int wait_ms() const {
    constexpr std::int64_t kLongestMs = 3'600'000;
    auto wait = std::chrono::milliseconds(kLongestMs);
    const auto now = clock_.steady_now();
    for (const auto& exchange : exchanges_) {
      if (exchange.deadline() == SteadyTime::max()) continue;
      wait =
          std::min(wait, std::chrono::ceil<std::chrono::milliseconds>(exchange.deadline() - now));
    }
    return static_cast<int>(std::max<std::int64_t>(wait.count(), 0));
  }

  void accept_one() {
    UniqueFd client(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    const bool known = may_ask(client.get(), options_.allowed);
    if (known && exchanges_.size() < kMaxGatewayConnections) {
      exchanges_.emplace_back(std::move(client), clock_, options_);
      return;
    }
    const std::string answer =
        known ? refusal_answer(503, "too many connections to the gateway")
              : refusal_answer(403, "the gateway is for the agent and for root");
    // Whoever does not read it at once misses a reason, nothing else.
    (void)!::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  const int listener_;
  const Clock& clock_;
  const GatewayOptions& options_;
  std::list<GatewayExchange> exchanges_;
};

}  // namespace

Result<UniqueFd> listen_for_group(const std::string& path, gid_t group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Errc::kInvalid, "the socket's path is too long: " + path);
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  const auto slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0) {
    TRY_VOID(files::make_directories(path.substr(0, slash), kFolderMode));
  }
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return files::from_errno("socket", errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return files::from_errno("cannot replace " + path, errno);
  }
  // Nobody but us may connect until the group is set.
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int why = errno;
  ::umask(mask);
  if (bound != 0) return files::from_errno("cannot bind " + path, why);
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0 ||
      ::chmod(path.c_str(), kSocketMode) != 0) {
    return files::from_errno("cannot give " + path + " to group " + std::to_string(group), errno);
  }
  if (::listen(listener.get(), kBacklog) != 0) {
    return files::from_errno("cannot listen at " + path, errno);
  }
  return listener;
}

Result<void> run_gateway(int listener, int stop_fd, const Clock& clock,
                         const GatewayOptions& options) {
  return Gateway(listener, clock, options).run(stop_fd);
}

}  // namespace observeai::agent::executor
