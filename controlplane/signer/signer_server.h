// The signer's socket: a thread for each connection, few connections, nothing parsed of who may not ask.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <thread>

#include "controlplane/signer/signing_service.h"
#include "controlplane/signer/socket_io.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::signer {

inline constexpr std::size_t kMaxConnections = 16;  // The control plane needs a few

class SignerServer {
 public:
  struct Options {
    std::string socket;
    unsigned client_uid = 0;                     // Beside root
    std::chrono::milliseconds patience{10'000};  // For the rest of a frame and for sending a reply
  };
  // Answers on threads of its own until it is destroyed. `service` must outlive it.
  static Result<std::unique_ptr<SignerServer>> start(const Options& options,
                                                     SigningService& service);
  ~SignerServer();

 private:
  struct Connection {
    Descriptor socket;
    bool over = false;
    std::thread thread;
  };
  SignerServer(Options options, SigningService& service, Descriptor listener, Descriptor stop)
      : options_(std::move(options)),
        service_(service),
        listener_(std::move(listener)),
        stop_(std::move(stop)) {}
  void accept_all();
  void admit(Descriptor socket);
  void reap(bool all);
  void serve(Connection& connection);
  Result<void> serve_one(int fd, std::string& buffer);
  std::string answer(const Frame& frame);

  const Options options_;
  SigningService& service_;
  const Descriptor listener_;
  const Descriptor stop_;  // An eventfd: readable from the end on
  Mutex mutex_;
  RefusalLog refusals_;  // Of the acceptor
  std::list<Connection> connections_ GUARDED_BY(mutex_);
  std::thread acceptor_;
};

}  // namespace observeai::controlplane::signer
