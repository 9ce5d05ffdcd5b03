#include "agent/executor/gateway_exchange.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace observeai::agent::executor {

namespace {

constexpr std::size_t kPieceBytes = 16U << 10;  // Read at once; so much waits for a slow reader

bool is_later(int error_number) {
  return error_number == EAGAIN || error_number == EINTR;
}

// Sends what can be sent now. False: the peer is gone.
bool send_some(int socket, std::string& bytes) {
  const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return is_later(errno);
  bytes.erase(0, static_cast<std::size_t>(sent));
  return true;
}

UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return {};
  }
  return socket;
}

}  // namespace

GatewayExchange::GatewayExchange(UniqueFd client, const Clock& clock, const GatewayOptions& options)
    : client_(std::move(client)),
      clock_(clock),
      options_(options),
      deadline_(clock.steady_now() + options.head_deadline) {}

pollfd GatewayExchange::client_interest() const {
  // POLLIN also while an answer goes out: a reader that hung up, or asks once more, is done with.
  const bool writes = !to_client_.empty();
  return {client_.get(), static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0};
}

pollfd GatewayExchange::engine_interest() const {
  if (!to_engine_.empty()) return {engine_.get(), POLLOUT, 0};
  const bool reads = phase_ == Phase::kPassingOn && to_client_.size() < kPieceBytes;
  return {reads ? engine_.get() : -1, POLLIN, 0};
}

void GatewayExchange::refuse(unsigned status, std::string_view why) {
  engine_.reset();
  to_engine_.clear();
  to_client_ = refusal_answer(status, why);
  phase_ = Phase::kFinishing;
  deadline_ = clock_.steady_now() + options_.head_deadline;
}

bool GatewayExchange::read_request() {
  std::array<char, 4096> piece;
  const ssize_t got = ::recv(client_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (got < 0) return is_later(errno);
  if (got == 0 || phase_ == Phase::kPassingOn) return false;
  if (phase_ == Phase::kFinishing) return true;  // It may still be sending what was refused
  head_.append(piece.data(), static_cast<std::size_t>(got));
  const auto verdict = judge_request(head_);
  if (!verdict) return true;
  std::string().swap(head_);
  if (verdict->request) {
    pass_on(*verdict->request);
  } else {
    refuse(verdict->status, verdict->refusal);
  }
  return true;
}

void GatewayExchange::pass_on(const GatewayRequest& request) {
  engine_ = connect_to(options_.docker_socket);
  if (!engine_) {
    return refuse(
        502, std::string("no engine at ") + options_.docker_socket + ": " + std::strerror(errno));
  }
  kind_ = request.kind;
  phase_ = Phase::kPassingOn;
  // In HTTP/1.0 an answer ends with the connection: nothing to take apart here.
  to_engine_ = "GET " + request.target + " HTTP/1.0\r\nHost: docker\r\n\r\n";
  deadline_ = clock_.steady_now() + options_.answer_deadline;
}

bool GatewayExchange::read_answer(std::size_t may_hold) {
  std::array<char, kPieceBytes> piece;
  const ssize_t got = ::recv(engine_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (got < 0 && is_later(errno)) return true;
  if (got < 0) return false;
  const std::string_view bytes(piece.data(), static_cast<std::size_t>(got));
  if (kind_ == AnswerKind::kContainer) {
    if (got == 0) {
      to_client_ = container_answer(held_);
      std::string().swap(held_);
    } else if (held_.size() + bytes.size() > kMaxHeldAnswer || bytes.size() > may_hold) {
      std::string().swap(held_);
      refuse(502, "the engine's answer is too long");
      return true;
    } else {
      held_.append(bytes);
      return true;
    }
  } else if (got > 0) {
    if (to_client_.empty() && kind_ == AnswerKind::kStream) {
      deadline_ = clock_.steady_now() + options_.answer_deadline;
    }
    to_client_.append(bytes);
    return true;
  }
  engine_.reset();
  phase_ = Phase::kFinishing;
  return !to_client_.empty();
}

bool GatewayExchange::send_to_engine() {
  return send_some(engine_.get(), to_engine_);
}

bool GatewayExchange::send_to_client() {
  if (!send_some(client_.get(), to_client_)) return false;
  if (!to_client_.empty()) return true;
  // The next event may come in days.
  if (kind_ == AnswerKind::kStream && phase_ == Phase::kPassingOn) deadline_ = SteadyTime::max();
  return phase_ != Phase::kFinishing;
}

bool GatewayExchange::turn(short client_events, short engine_events, std::size_t may_hold) {
  if (clock_.steady_now() >= deadline_) return false;
  constexpr short kGone = POLLHUP | POLLERR | POLLNVAL;
  if ((client_events & (POLLERR | POLLNVAL)) != 0) return false;
  if ((client_events & (POLLIN | POLLHUP)) != 0 && !read_request()) return false;
  if (engine_ && !to_engine_.empty() && (engine_events & (POLLOUT | kGone)) != 0) {
    if (!send_to_engine()) return false;
  } else if (engine_ && (engine_events & (POLLIN | kGone)) != 0 && !read_answer(may_hold)) {
    return false;
  }
  if (!to_client_.empty() && !send_to_client()) return false;
  return true;
}

}  // namespace observeai::agent::executor
