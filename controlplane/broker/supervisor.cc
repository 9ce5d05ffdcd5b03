#include "controlplane/broker/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <random>

#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::controlplane {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr milliseconds kStartPatience{3000};
constexpr milliseconds kRequestPatience{1000};
constexpr milliseconds kHealthyAfter{10'000};  // A broker that ran so long starts again at once.
constexpr std::size_t kMaxRequest = 256;
constexpr std::size_t kMaxAnswer = 4096;

Result<sockaddr_un> socket_address(const std::string& root) {
  const std::string path = root + "/control.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Errc::kLimit, "the path of the control socket is longer than " +
                                   std::to_string(sizeof address.sun_path - 1) + " bytes: " + path);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

bool wait_readable(int fd, milliseconds patience) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, static_cast<int>(patience.count())) > 0;
}

// Up to the first newline.
std::string read_line(int fd, std::size_t limit, milliseconds patience) {
  const auto end = Steady::now() + patience;
  std::string line;
  std::array<char, 512> buffer;
  while (line.size() < limit) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - Steady::now());
    if (left.count() <= 0 || !wait_readable(fd, left)) break;
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) break;
    line.append(buffer.data(), static_cast<std::size_t>(got));
    if (const auto newline = line.find('\n'); newline != line.npos) return line.substr(0, newline);
  }
  return {};
}

bool peer_is_trusted(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

Result<int> listen_at(const std::string& root) {
  TRY(const sockaddr_un address, socket_address(root));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return files::from_errno("cannot make the control socket", errno);
  ::unlink(address.sun_path);  // Ours: the lock is held.
  ::fchmod(fd, 0600);          // Before bind: it is created with this mode.
  if (::bind(fd, generic(address), sizeof address) != 0 || ::listen(fd, 8) != 0) {
    const auto error =
        files::from_errno(std::string("cannot listen on ") + address.sun_path, errno);
    ::close(fd);
    return error;
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<BrokerSupervisor>> BrokerSupervisor::create(Options options) {
  const std::string root = Generations(options.state_directory).root();
  TRY_VOID(files::make_directories(root, 0700));
  const std::string lock_path = root + "/supervisor.lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return files::from_errno("cannot open " + lock_path, errno);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return Error(Errc::kDenied,
                 "another broker supervisor is running for " + options.state_directory);
  }
  auto listener = listen_at(root);
  if (!listener) {
    ::close(lock);
    return std::move(listener).error();
  }
  const int stop_event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return std::unique_ptr<BrokerSupervisor>(
      new BrokerSupervisor(std::move(options), lock, *listener, stop_event));
}

BrokerSupervisor::BrokerSupervisor(Options options, int lock, int listener, int stop_event)
    : options_(std::move(options)),
      generations_(options_.state_directory),
      lock_(lock),
      listener_(listener),
      stop_event_(stop_event) {}

BrokerSupervisor::~BrokerSupervisor() {
  broker_.reset();
  ::unlink((generations_.root() + "/control.sock").c_str());
  ::close(listener_);
  ::close(stop_event_);
  ::close(lock_);
}

void BrokerSupervisor::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_, &one, sizeof one);
}

void BrokerSupervisor::run() {
  for (;;) {
    if (!broker_ && Steady::now() >= next_start_) {
      if (auto started = start_broker(); !started) log::error(started.error().message());
    }
    pollfd wait[] = {{stop_event_, POLLIN, 0},
                     {listener_, POLLIN, 0},
                     {broker_ ? broker_->output() : -1, POLLIN, 0},
                     {broker_ ? broker_->exit_event() : -1, POLLIN, 0}};
    ::poll(wait, 4, poll_timeout_ms());
    if (wait[0].revents != 0) break;
    if (broker_) {
      broker_->read_output();
      if (auto how = broker_->ended()) broker_ended(*how);
    }
    if (wait[1].revents != 0) serve_request();
  }
  broker_.reset();
}

int BrokerSupervisor::poll_timeout_ms() const {
  if (broker_ || next_start_ == Steady::time_point::max()) return -1;
  const auto left = std::chrono::duration_cast<milliseconds>(next_start_ - Steady::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 60'000));
}

Result<void> BrokerSupervisor::start_broker() {
  const auto fail = [this](const Error& error, Steady::time_point next) -> Result<void> {
    broker_.reset();
    down_because_ = error.message();
    next_start_ = next;
    return Error(error.code(), error.message());
  };
  if (const auto reason = generations_.halted(); !reason.empty()) {
    return fail(Error(Errc::kDenied, "the broker is halted: " + reason), Steady::time_point::max());
  }
  const auto generation = generations_.current();
  // Waits for a restart request.
  if (!generation) return fail(generation.error(), Steady::time_point::max());
  auto broker = MosquittoProcess::start(
      {options_.program, Generations::config_file(*generation), options_.forward_output});
  auto ready = broker ? (*broker)->wait_until_ready(kStartPatience) : Result<void>(broker.error());
  if (!ready) return fail(ready.error(), Steady::now() + backoff_.next(std::random_device{}()));
  broker_ = std::move(*broker);
  generation_ = *generation;
  started_at_ = Steady::now();
  log::info("broker is up, pid " + std::to_string(broker_->pid()) + ", configuration " +
            *generation);
  return {};
}

void BrokerSupervisor::broker_ended(const std::string& how) {
  down_because_ = "the broker ended with " + how +
                  (broker_->last_words().empty() ? "" : ": " + broker_->last_words());
  broker_.reset();
  const auto now = Steady::now();
  if (now - started_at_ > kHealthyAfter) backoff_.reset();
  next_start_ = now + backoff_.next(std::random_device{}());
  log::error(down_because_);
}

void BrokerSupervisor::serve_request() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const std::string reply =
      peer_is_trusted(client) ? answer(read_line(client, kMaxRequest, kRequestPatience)) : "denied";
  const std::string line = log::printable(reply, kMaxAnswer - 1) + "\n";
  [[maybe_unused]] const auto sent =
      ::send(client, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::close(client);
}

std::string BrokerSupervisor::answer(std::string_view request) {
  if (request == "restart") {
    broker_.reset();
    backoff_.reset();
    auto started = start_broker();
    return started ? status() : "failed " + started.error().message();
  }
  if (request == "halt") {
    broker_.reset();
    next_start_ = Steady::time_point::max();
    const auto reason = generations_.halted();
    down_because_ = reason.empty() ? "halted on request" : reason;
    return "halted";
  }
  if (request == "status") return status();
  return "unknown request";
}

std::string BrokerSupervisor::status() const {
  if (broker_) return "up " + std::to_string(broker_->pid()) + " " + Generations::name(generation_);
  if (!generations_.halted().empty()) return "halted " + generations_.halted();
  return "down " + down_because_;
}

Result<std::string> ask_supervisor(const std::string& state_directory, const std::string& request,
                                   milliseconds patience) {
  TRY(const sockaddr_un address, socket_address(Generations(state_directory).root()));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return files::from_errno("cannot make a socket", errno);
  if (::connect(fd, generic(address), sizeof address) != 0) {
    ::close(fd);
    return Error(Errc::kUnavailable, "the broker's supervisor is not running for " +
                                         state_directory +
                                         ": start it with `observeai-controlplane broker`");
  }
  const std::string line = request + "\n";
  const auto sent = ::send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  const std::string reply = sent == static_cast<ssize_t>(line.size())
                                ? read_line(fd, kMaxAnswer, patience)
                                : std::string();
  ::close(fd);
  if (reply.empty())
    return Error(Errc::kTimeout, "the broker's supervisor did not answer " + request);
  return reply;
}

bool is_up_with(const std::string& status, const std::string& generation) {
  return status.starts_with("up ") && status.ends_with(" " + Generations::name(generation));
}

}  // namespace observeai::controlplane
