#include "controlplane/signer/signer_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "controlplane/signer/signer_status.h"
#include "protocol/base/files.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::signer {
namespace {

std::string error_frame(const Error& error) {
  return encode_frame(FrameKind::kError, encode_outcome(error));
}

std::string envelope_frame(const Result<std::string>& envelope) {
  return envelope ? encode_frame(FrameKind::kEnvelope, *envelope) : error_frame(envelope.error());
}

std::string done_frame(const Result<void>& done) {
  return done ? encode_frame(FrameKind::kDone, "") : error_frame(done.error());
}

}  // namespace

Result<std::unique_ptr<SignerServer>> SignerServer::start(const Options& options,
                                                          SigningService& service) {
  TRY(auto listener, listen_at(options.socket));
  Descriptor stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return files::from_errno("eventfd", errno);
  std::unique_ptr<SignerServer> server(
      new SignerServer(options, service, std::move(listener), std::move(stop)));
  server->acceptor_ = std::thread([raw = server.get()] { raw->accept_all(); });
  return server;
}

SignerServer::~SignerServer() {
  const std::uint64_t one = 1;
  if (::write(stop_.get(), &one, sizeof one) == sizeof one) acceptor_.join();
  {
    const MutexLock lock(mutex_);
    for (auto& connection : connections_) ::shutdown(connection.socket.get(), SHUT_RDWR);
  }
  reap(true);
  ::unlink(options_.socket.c_str());
}

void SignerServer::accept_all() {
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{listener_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    if ((ready[1].revents & POLLIN) != 0) return;
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) continue;
    reap(false);
    admit(std::move(socket));
  }
}

void SignerServer::admit(Descriptor socket) {
  const auto uid = peer_uid(socket.get());
  if (!uid || (*uid != 0 && *uid != ::geteuid() && *uid != options_.client_uid)) {
    refusals_.write(std::chrono::steady_clock::now(),
                    "a process of user " + (uid ? std::to_string(*uid) : "?") + " may not ask");
    return;
  }
  const MutexLock lock(mutex_);
  if (connections_.size() >= kMaxConnections) {
    refusals_.write(
        std::chrono::steady_clock::now(),
        "more than " + std::to_string(kMaxConnections) + " connections: one is refused");
    return;
  }
  auto& connection = connections_.emplace_back();
  connection.socket = std::move(socket);
  connection.thread = std::thread([this, &connection] { serve(connection); });
}

// Ends the threads of connections that are over; with `all` waits for the others.
void SignerServer::reap(bool all) {
  std::list<Connection> ended;
  {
    const MutexLock lock(mutex_);
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto next = std::next(at);
      if (all || at->over) ended.splice(ended.end(), connections_, at);
      at = next;
    }
  }
  for (auto& connection : ended) connection.thread.join();
}

void SignerServer::serve(Connection& connection) {
  std::string buffer;
  while (serve_one(connection.socket.get(), buffer)) {
  }
  const MutexLock lock(mutex_);
  ::shutdown(connection.socket.get(), SHUT_RDWR);
  connection.over = true;
}

// One request and its reply. An error ends the connection.
Result<void> SignerServer::serve_one(int fd, std::string& buffer) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  if (buffer.empty()) {
    TRY_VOID(receive_some(fd, buffer, Deadline::max()));  // A client may be silent for long
  }
  const auto deadline = now() + options_.patience;
  for (;;) {
    TRY(auto taken, take_frame(buffer));
    if (taken) {
      buffer.erase(0, taken->bytes);
      return send_all(fd, answer(taken->frame), now() + options_.patience);
    }
    TRY_VOID(receive_some(fd, buffer, deadline));
  }
}

std::string SignerServer::answer(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kSign: {
      const auto commands = decode_list(frame.body);
      if (!commands) return error_frame(commands.error());
      if (commands->size() > kMaxSignItems || frame.body.size() > kMaxSignBytes)
        return error_frame(Error(Errc::kLimit, "too many commands in one frame"));
      const auto outcomes = service_.sign_commands(*commands);
      if (!outcomes) return error_frame(outcomes.error());
      std::vector<std::string> items;
      items.reserve(outcomes->size());
      for (const auto& outcome : *outcomes) items.push_back(encode_outcome(outcome));
      return encode_frame(FrameKind::kSigned, encode_list(items));
    }
    case FrameKind::kTime: {
      const auto time = wire::decode_time(frame.body);
      return time ? envelope_frame(service_.sign_time(*time)) : error_frame(time.error());
    }
    case FrameKind::kAuditHead: {
      const auto head = wire::decode_audit_head(frame.body);
      return head ? envelope_frame(service_.sign_audit_head(*head)) : error_frame(head.error());
    }
    case FrameKind::kRoots: {
      const auto roots = decode_list(frame.body);
      return roots ? done_frame(service_.take_roots(*roots)) : error_frame(roots.error());
    }
    case FrameKind::kRevoke: {
      const auto agent = AgentId::parse(frame.body);
      return agent ? done_frame(service_.revoke_agent(*agent)) : error_frame(agent.error());
    }
    case FrameKind::kStatus:
      return encode_frame(FrameKind::kStatusReply, encode_status(service_.status()));
    default:
      return error_frame(Error(Errc::kInvalid, "this is no request"));
  }
}

}  // namespace observeai::controlplane::signer
