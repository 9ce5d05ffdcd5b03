#include "controlplane/api/api_server.h"

#include <map>
#include <set>
#include <thread>

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "controlplane/api/connection.h"
#include "controlplane/api/connection_places.h"
#include "protocol/base/log.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::api {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kBacklog = 512;
constexpr std::chrono::milliseconds kAcceptRetry{100};  // After "too many open files" and the like

Result<Connection::TlsContext> load_context(const ApiServer::Options& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                                    SSL_OP_CIPHER_SERVER_PREFERENCE);
  boost::system::error_code error;
  context->use_certificate_chain_file(options.cert_file, error);
  if (error)
    return Error(Errc::kInvalid,
                 "cannot use the certificate " + options.cert_file + ": " + error.message());
  context->use_private_key_file(options.key_file, asio::ssl::context::pem, error);
  if (error)
    return Error(Errc::kInvalid, "cannot use the key " + options.key_file + ": " + error.message());
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    return Error(Errc::kInvalid, "the key " + options.key_file +
                                     " does not belong to the certificate " + options.cert_file);
  }
  return context;
}

std::string text_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace

class ApiServer::Impl {
 public:
  Impl(Options options, Api& api, Connection::TlsContext context)
      : shared_{options, api, asio::thread_pool(options.workers), {}},
        places_(options.max_connections, options.max_connections_per_source),
        acceptor_(asio::make_strand(io_)),
        retry_(acceptor_.get_executor()),
        context_(std::move(context)) {}
  ~Impl() { stop(); }

  Result<void> listen();
  void run();
  std::uint16_t port() const { return port_; }
  Result<void> reload();
  Counters counters() const;

 private:
  asio::awaitable<void> accept_loop();
  void admit(tcp::socket socket);
  void stop();

  ServerShared shared_;
  ConnectionPlaces places_;
  asio::io_context io_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::uint16_t port_ = 0;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  Connection::TlsContext context_ GUARDED_BY(mutex_);
  std::map<Connection*, std::weak_ptr<Connection>> connections_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

Result<void> ApiServer::Impl::listen() {
  const auto& options = shared_.options;
  const std::string where = options.address + ":" + std::to_string(options.port);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return Error(Errc::kInvalid, "cannot listen on " + where + ": not an IP address");
  const tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && address.is_v6()) acceptor_.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kBacklog, error);
  if (error == asio::error::address_in_use) {
    return Error(Errc::kUnavailable,
                 "cannot listen on " + where +
                     ": another program uses this port "
                     "(`ss -ltnp` shows which); stop it or configure another port");
  }
  if (error) return Error(Errc::kUnavailable, "cannot listen on " + where + ": " + error.message());
  port_ = acceptor_.local_endpoint().port();
  return {};
}

void ApiServer::Impl::run() {
  guard_.emplace(io_.get_executor());
  asio::co_spawn(acceptor_.get_executor(), accept_loop(), asio::detached);
  for (unsigned i = 0; i < std::max(1U, shared_.options.threads); ++i) {
    threads_.emplace_back([this] { io_.run(); });
  }
}

asio::awaitable<void> ApiServer::Impl::accept_loop() {
  while (acceptor_.is_open()) {
    auto strand = asio::make_strand(io_);
    auto [error, socket] = co_await acceptor_.async_accept(strand, kToken);
    if (!error) {
      admit(std::move(socket));
    } else if (acceptor_.is_open()) {
      log::warning("cannot accept a connection: " + error.message());
      retry_.expires_after(kAcceptRetry);
      co_await retry_.async_wait(kToken);
    }
  }
}

void ApiServer::Impl::admit(tcp::socket socket) {
  boost::system::error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return;  // Gone already
  socket.set_option(tcp::no_delay(true), error);
  const std::string remote_ip = text_of(peer.address());
  if (!places_.take(remote_ip)) {
    ++shared_.counters.refused_connections;
    return;  // Closes the socket
  }
  ++shared_.counters.accepted;
  Connection::TlsContext context;
  {
    MutexLock lock(mutex_);
    context = context_;
  }
  auto connection =
      std::make_shared<Connection>(std::move(socket), std::move(context), remote_ip, shared_,
                                   [this, remote_ip] { places_.leave(remote_ip); });
  {
    MutexLock lock(mutex_);
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    connections_.emplace(connection.get(), connection);
    if (stopping_) return;
  }
  connection->start();
}

Result<void> ApiServer::Impl::reload() {
  TRY(auto context, load_context(shared_.options));
  MutexLock lock(mutex_);
  context_ = std::move(context);
  return {};
}

ApiServer::Counters ApiServer::Impl::counters() const {
  const auto& c = shared_.counters;
  return {c.connections,  c.accepted, c.refused_connections, c.failed_handshakes, c.timeouts,
          c.bad_requests, c.requests, c.lagged_followers};
}

void ApiServer::Impl::stop() {
  asio::post(acceptor_.get_executor(), [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
  });
  std::vector<std::shared_ptr<Connection>> open;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [key, weak] : connections_) {
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
    }
  }
  for (const auto& connection : open) connection->close();
  open.clear();
  guard_.reset();
  for (auto& thread : threads_) thread.join();
  shared_.workers.join();
}

ApiServer::ApiServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiServer::~ApiServer() = default;

Result<std::unique_ptr<ApiServer>> ApiServer::start(Options options, Api& api) {
  TRY(auto context, load_context(options));
  auto impl = std::make_unique<Impl>(std::move(options), api, std::move(context));
  TRY_VOID(impl->listen());
  impl->run();
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(impl)));
}

std::uint16_t ApiServer::port() const {
  return impl_->port();
}
Result<void> ApiServer::reload_certificate() {
  return impl_->reload();
}
ApiServer::Counters ApiServer::counters() const {
  return impl_->counters();
}

}  // namespace observeai::controlplane::api
