#include "agent/executor/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "agent/executor/worker.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent::executor {
namespace {

constexpr int kBacklog = 16;
constexpr std::size_t kReadBytes = 64U << 10;

struct Connection {
  UniqueFd socket;
  std::string in;
  std::string out;
  bool waits = false;     // For the worker
  SteadyTime deadline{};  // Of the half of a frame that is here, or of the answer
};

class Server {
 public:
  Server(Executor& executor, Worker& worker, int listener, const Clock& clock,
         const ServerOptions& options)
      : executor_(executor),
        worker_(worker),
        listener_(listener),
        clock_(clock),
        options_(options),
        last_asked_(clock.steady_now()) {}

  Result<void> run(int stop_fd);

 private:
  std::vector<pollfd> interests(int stop_fd) const;
  int wait_ms() const;
  bool is_quiet() const;
  bool is_idle() const;
  void rest_once();
  void accept_one();
  void deliver();
  // False: it is over.
  bool read_from(std::uint64_t id, Connection& connection);
  bool write_to(Connection& connection);
  bool take_request(std::uint64_t id, Connection& connection);
  void answer(std::uint64_t id, Connection& connection, const Frame& request);
  void reply(Connection& connection, const Frame& frame);

  Executor& executor_;
  Worker& worker_;
  const int listener_;
  const Clock& clock_;
  const ServerOptions& options_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_id_ = 1;
  SteadyTime last_asked_;
  bool rested_ = false;
};

bool may_ask(int socket, const std::vector<uid_t>& allowed) {
  struct ucred peer {};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || std::find(allowed.begin(), allowed.end(), peer.uid) != allowed.end())
    return true;
  log::warning("user " + std::to_string(peer.uid) + " (process " + std::to_string(peer.pid) +
               ") may not ask the executor");
  return false;
}

void Server::accept_one() {
  UniqueFd socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || !may_ask(socket.get(), options_.allowed)) return;
  if (connections_.size() >= kMaxConnections) {
    log::warning("a connection too many is closed");
    return;
  }
  connections_[next_id_++].socket = std::move(socket);
  last_asked_ = clock_.steady_now();  // Its question is on the way: no time to end
}

void Server::reply(Connection& connection, const Frame& frame) {
  connection.out += encode_frame(frame);
  connection.deadline = clock_.steady_now() + kFrameDeadline;
}

void Server::answer(std::uint64_t id, Connection& connection, const Frame& request) {
  switch (request.kind) {
    case FrameKind::kStatus:
      return reply(connection, executor_.status());
    case FrameKind::kTime:
      return reply(connection, executor_.take_time(request.body));
    case FrameKind::kRoots:
      return reply(connection, executor_.take_roots(request.body));
    case FrameKind::kResults:
      return reply(connection, executor_.results());
    case FrameKind::kSpooled:
      return reply(connection, executor_.spooled(request.body));
    case FrameKind::kCommand: {
      auto admitted = executor_.admit(request.body);
      if (const auto* frame = std::get_if<Frame>(&admitted)) return reply(connection, *frame);
      auto& job = std::get<std::unique_ptr<Executor::Job>>(admitted);
      if (!worker_.add(id, job)) return reply(connection, executor_.turn_away(std::move(job)));
      connection.waits = true;
      return;
    }
    default:
      return reply(connection, {FrameKind::kError, "this is no request"});
  }
}

bool Server::take_request(std::uint64_t id, Connection& connection) {
  // One request, one answer: the next one waits in the buffer.
  if (connection.waits || !connection.out.empty()) return true;
  auto taken = take_frame(connection.in);
  if (!taken) {
    log::warning("executor.sock: " + taken.error().message());
    return false;
  }
  if (!*taken) return true;
  connection.in.erase(0, (*taken)->bytes);
  if (connection.in.empty()) connection.in.shrink_to_fit();
  last_asked_ = clock_.steady_now();
  rested_ = false;
  answer(id, connection, (*taken)->frame);
  return true;
}

bool Server::read_from(std::uint64_t id, Connection& connection) {
  std::array<char, kReadBytes> chunk;
  const ssize_t got = ::recv(connection.socket.get(), chunk.data(), chunk.size(), 0);
  if (got == 0) return false;
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (connection.in.empty()) connection.deadline = clock_.steady_now() + kFrameDeadline;
  connection.in.append(chunk.data(), static_cast<std::size_t>(got));
  return take_request(id, connection);
}

bool Server::write_to(Connection& connection) {
  const ssize_t sent =
      ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  connection.out.erase(0, static_cast<std::size_t>(sent));
  if (connection.out.empty()) connection.out.shrink_to_fit();
  return true;
}

void Server::deliver() {
  for (auto& done : worker_.take_done()) {
    last_asked_ = clock_.steady_now();
    rested_ = false;
    const auto found = connections_.find(done.connection);
    if (found == connections_.end()) continue;  // Its result is in the ledger
    found->second.waits = false;
    reply(found->second, done.frame);
  }
}

bool Server::is_quiet() const {
  return worker_.idle() &&
         std::all_of(connections_.begin(), connections_.end(), [](const auto& one) {
           return one.second.in.empty() && one.second.out.empty() && !one.second.waits;
         });
}

bool Server::is_idle() const {
  return options_.idle_exit.count() > 0 && is_quiet() &&
         clock_.steady_now() - last_asked_ >= options_.idle_exit;
}

void Server::rest_once() {
  if (rested_ || !options_.rest || !is_quiet() || clock_.steady_now() - last_asked_ < kRestAfter)
    return;
  rested_ = true;
  options_.rest();
}

int Server::wait_ms() const {
  auto until = clock_.steady_now() + std::chrono::hours(1);
  for (const auto& [id, connection] : connections_) {
    if (!connection.waits && (!connection.in.empty() || !connection.out.empty()))
      until = std::min(until, connection.deadline);
  }
  if (!rested_ && options_.rest && worker_.idle())
    until = std::min(until, last_asked_ + kRestAfter);
  if (options_.idle_exit.count() > 0 && worker_.idle())
    until = std::min(until, last_asked_ + options_.idle_exit);
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - clock_.steady_now());
  return static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0));
}

std::vector<pollfd> Server::interests(int stop_fd) const {
  std::vector<pollfd> out = {
      {stop_fd, POLLIN, 0}, {listener_, POLLIN, 0}, {worker_.done_fd(), POLLIN, 0}};
  for (const auto& [id, connection] : connections_) {
    short events = 0;
    if (!connection.out.empty()) {
      events = POLLOUT;
    } else if (!connection.waits) {
      events = POLLIN;
    }
    out.push_back({connection.socket.get(), events, 0});
  }
  return out;
}

Result<void> Server::run(int stop_fd) {
  constexpr std::size_t kFirstConnection = 3;
  while (!is_idle()) {
    rest_once();
    auto events = interests(stop_fd);
    if (::poll(events.data(), events.size(), wait_ms()) < 0) {
      if (errno == EINTR) continue;
      return files::from_errno("poll", errno);
    }
    if (events[0].revents != 0) return {};
    std::size_t at = kFirstConnection;
    const auto now = clock_.steady_now();
    for (auto one = connections_.begin(); one != connections_.end(); ++at) {
      auto& [id, connection] = *one;
      const short seen = events[at].revents;
      bool alive = (seen & (POLLERR | POLLNVAL)) == 0;
      if (alive && (seen & POLLOUT) != 0)
        alive = write_to(connection) && take_request(id, connection);
      if (alive && (seen & POLLIN) != 0) alive = read_from(id, connection);
      if (alive && (seen & POLLHUP) != 0 && (seen & POLLIN) == 0) alive = false;
      const bool half = !connection.waits && (!connection.in.empty() || !connection.out.empty());
      if (alive && half && now >= connection.deadline) alive = false;
      one = alive ? std::next(one) : connections_.erase(one);
    }
    deliver();
    if (events[1].revents != 0) accept_one();
  }
  return {};
}

}  // namespace

Result<UniqueFd> listen_at(const std::string& path, uid_t uid) {
  constexpr unsigned kFolderMode = 0755;
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(Errc::kInvalid, "the socket's path is too long: " + path);
  std::copy(path.begin(), path.end(), address.sun_path);
  const auto slash = path.find_last_of('/');
  if (slash != std::string::npos && slash > 0) {
    TRY_VOID(files::make_directories(path.substr(0, slash), kFolderMode));
  }
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return files::from_errno("socket", errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return files::from_errno("cannot replace " + path, errno);
  const mode_t mask = ::umask(0177);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(mask);
  if (bound != 0) return files::from_errno("cannot bind " + path, errno);
  if (uid != ::geteuid() && ::chown(path.c_str(), uid, static_cast<gid_t>(-1)) != 0)
    return files::from_errno("cannot give " + path + " to user " + std::to_string(uid), errno);
  if (::listen(listener.get(), kBacklog) != 0)
    return files::from_errno("cannot listen at " + path, errno);
  return listener;
}

Result<void> serve(Executor& executor, int listener, int stop_fd, const Clock& clock,
                   const ServerOptions& options) {
  TRY(const auto worker, Worker::create(executor));
  Server server(executor, *worker, listener, clock, options);
  return server.run(stop_fd);
}

}  // namespace observeai::agent::executor
