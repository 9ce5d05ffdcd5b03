// The HTTPS listener: Boost.Beast on a fixed number of threads, every wait with a deadline, every
// size with a limit. Handlers run on a worker pool, so that a slow store never stops the sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "controlplane/api/api.h"

namespace observeai::controlplane::api {

// A request's line and headers together.
inline constexpr std::uint32_t kMaxHeaderBytes = 8U << 10;

// Thread-safe. Stops and closes everything when destroyed.
class ApiServer {
 public:
  struct Deadlines {
    std::chrono::milliseconds handshake{10'000};
    std::chrono::milliseconds header{
        10'000};  // From the first byte of a request to its last header
    std::chrono::milliseconds body{30'000};
    std::chrono::milliseconds idle{60'000};       // Between two requests of one connection
    std::chrono::milliseconds write{30'000};      // Plus a second for each 64 KiB
    std::chrono::milliseconds keepalive{15'000};  // A comment in a quiet event stream
    std::chrono::milliseconds recheck{2'000};     // Of the key that an event stream was opened with
  };
  struct Options {
    std::string address = "0.0.0.0";
    std::uint16_t port = 8443;  // 0 = any free one
    std::string cert_file;      // PEM, leaf first
    std::string key_file;       // PEM
    unsigned threads = 2;
    unsigned workers = 4;
    std::size_t max_connections = 1000;
    std::size_t max_connections_per_source = 256;
    Deadlines deadlines;
  };
  struct Counters {
    std::uint64_t connections = 0;  // Open now
    std::uint64_t accepted = 0;
    std::uint64_t refused_connections = 0;  // A limit of connections was reached
    std::uint64_t failed_handshakes = 0;
    std::uint64_t timeouts = 0;      // A deadline closed the connection
    std::uint64_t bad_requests = 0;  // Refused before any handler saw them
    std::uint64_t requests = 0;
    std::uint64_t lagged_followers = 0;
  };

  // Listens when it returns. kInvalid: certificate or key; kUnavailable: the port, with address and
  // number. `api` must outlive it.
  static Result<std::unique_ptr<ApiServer>> start(Options options, Api& api);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  std::uint16_t port() const;
  // Reads the files again for new connections; on error the certificate in use stays.
  Result<void> reload_certificate();
  Counters counters() const;

 private:
  class Impl;
  explicit ApiServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace observeai::controlplane::api
