#include "protocol/http/tls_connection.h"

#include <thread>

#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Endpoints = std::vector<tcp::endpoint>;

// getaddrinfo() cannot be interrupted, so it runs on a thread of its own that outlives a deadline.
struct Resolution {
  Mutex mutex;
  ConditionVariable ready;
  bool done GUARDED_BY(mutex) = false;
  boost::system::error_code error GUARDED_BY(mutex);
  Endpoints endpoints GUARDED_BY(mutex);
};

void resolve_into(const std::shared_ptr<Resolution>& state, const std::string& host,
                  std::uint16_t port) {
  asio::io_context io;
  boost::system::error_code error;
  const auto found = tcp::resolver(io).resolve(host, std::to_string(port), error);
  MutexLock lock(state->mutex);
  state->error = error;
  for (const auto& entry : found) state->endpoints.push_back(entry.endpoint());
  state->done = true;
  state->ready.notify_all();
}

Result<Endpoints> resolve(const std::string& host, std::uint16_t port, SteadyTime deadline) {
  boost::system::error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) return Endpoints{tcp::endpoint(address, port)};

  const auto state = std::make_shared<Resolution>();
  std::thread([state, host, port] { resolve_into(state, host, port); }).detach();
  MutexLock lock(state->mutex);
  while (!state->done) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline)
      return Error(Errc::kTimeout, "looking up the name " + host + " took too long");
    state->ready.wait_for(state->mutex, deadline - now);
  }
  if (state->error || state->endpoints.empty()) {
    return Error(Errc::kUnavailable,
                 "cannot look up the name " + host + ": " + state->error.message());
  }
  return state->endpoints;
}

std::string spki_sha256(X509* certificate) {
  unsigned char* der = nullptr;
  const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (length <= 0) return {};
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(der, static_cast<std::size_t>(length), digest.data());
  OPENSSL_free(der);
  return text::to_hex(digest);
}

}  // namespace

// Replaces OpenSSL's chain check: the leaf's key is the pinned one, or the handshake fails.
int verify_pin(X509_STORE_CTX* store, void* self) {
  auto* connection = static_cast<TlsConnection*>(self);
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  connection->seen_spki_ = leaf == nullptr ? "" : spki_sha256(leaf);
  const bool pinned = !connection->seen_spki_.empty() &&
                      connection->seen_spki_ == connection->endpoint_.spki_sha256;
  if (!pinned) X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return pinned ? 1 : 0;
}

TlsConnection::TlsConnection(const Endpoint& endpoint)
    : endpoint_(endpoint),
      context_(asio::ssl::context::tls_client),
      stream_(
          io_, [this]() -> auto& {
            SSL_CTX* native = context_.native_handle();
            SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
            SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
            SSL_CTX_set_cert_verify_callback(native, &verify_pin, this);
            return context_;
          }()) {}

Result<std::unique_ptr<TlsConnection>> TlsConnection::open(const Endpoint& endpoint,
                                                           SteadyTime deadline) {
  std::unique_ptr<TlsConnection> connection(new TlsConnection(endpoint));
  TRY_VOID(connection->connect(deadline));
  TRY_VOID(connection->handshake(deadline));
  return connection;
}

Result<void> TlsConnection::connect(SteadyTime deadline) {
  TRY(const auto endpoints, resolve(endpoint_.host, endpoint_.port, deadline));
  std::string why;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    // A dead first address must not use up the time of the others.
    const auto now = std::chrono::steady_clock::now();
    const auto share = (deadline - now) / static_cast<int>(endpoints.size() - i);
    boost::system::error_code ignored;
    stream_.next_layer().close(ignored);
    const auto error = await(now + share, [&](auto handler) {
      stream_.next_layer().async_connect(endpoints[i], handler);
    });
    if (error && !*error) {
      stream_.next_layer().set_option(tcp::no_delay(true), ignored);
      return {};
    }
    why = error ? error->message() : "no answer";
    if (!error && i + 1 == endpoints.size()) {
      return Error(Errc::kTimeout, "cannot connect to " + where() + ": no answer in time");
    }
  }
  return Error(Errc::kUnavailable, "cannot connect to " + where() + ": " + why);
}

Result<void> TlsConnection::handshake(SteadyTime deadline) {
  boost::system::error_code is_name;
  asio::ip::make_address(endpoint_.host, is_name);
  if (is_name) SSL_set_tlsext_host_name(stream_.native_handle(), endpoint_.host.c_str());
  const auto error = await(deadline, [&](auto handler) {
    stream_.async_handshake(asio::ssl::stream_base::client, handler);
  });
  if (!error) return Error(Errc::kTimeout, "the TLS handshake with " + where() + " took too long");
  if (!*error) return {};
  if (!seen_spki_.empty() && seen_spki_ != endpoint_.spki_sha256) {
    return Error(Errc::kDenied, "the server at " + where() +
                                    " is not the expected one: its key is " + seen_spki_ +
                                    ", expected " + endpoint_.spki_sha256);
  }
  return Error(Errc::kUnavailable,
               "no TLS connection with " + where() +
                   " (is it the right port?): " + log::printable(error->message()));
}

void TlsConnection::close() {
  boost::system::error_code ignored;
  stream_.next_layer().close(ignored);
}

}  // namespace observeai::http
