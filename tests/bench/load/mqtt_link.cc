#include "tests/bench/load/mqtt_link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace observeai::bench {
namespace {

enum PacketType : std::uint8_t { kConnack = 2, kPublish = 3, kPuback = 4, kSuback = 9 };
constexpr std::uint8_t kKeepAliveSeconds = 60;
constexpr std::size_t kReadBytes = 16384;

struct FreeOpenssl {
  void operator()(BIO* bio) const { ::BIO_free(bio); }
  void operator()(X509* certificate) const { ::X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
};

std::unique_ptr<BIO, FreeOpenssl> reading(const std::string& text) {
  return std::unique_ptr<BIO, FreeOpenssl>(
      ::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::unique_ptr<X509, FreeOpenssl> certificate_of(const std::string& pem) {
  return std::unique_ptr<X509, FreeOpenssl>(
      ::PEM_read_bio_X509(reading(pem).get(), nullptr, nullptr, nullptr));
}

void put_string(std::string& out, std::string_view text) {
  out.push_back(static_cast<char>(text.size() >> 8));
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}

Error tls_error(const std::string& what) {
  std::array<char, 256> text{};
  ::ERR_error_string_n(::ERR_get_error(), text.data(), text.size());
  return Error(Errc::kUnavailable, what + ": " + text.data());
}

}  // namespace

Result<TlsContext> make_client_context(const std::string& server_ca_pem) {
  TlsContext context(::SSL_CTX_new(::TLS_client_method()));
  const auto authority = certificate_of(server_ca_pem);
  if (!context || !authority) return tls_error("no TLS context");
  ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context.get()), authority.get());
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

MqttLink::MqttLink(int epoll_fd, SSL_CTX& context, const TlsIdentity& identity,
                   MqttListener& listener)
    : epoll_fd_(epoll_fd), context_(context), identity_(identity), listener_(listener) {}

MqttLink::~MqttLink() {
  close();
}

Result<void> MqttLink::open(std::uint16_t port) {
  close();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return Error(Errc::kUnavailable, std::string("socket: ") + std::strerror(errno));
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    const std::string why = std::strerror(errno);
    close();
    return Error(Errc::kUnavailable, "connect: " + why);
  }
  tls_.reset(::SSL_new(&context_));
  const auto certificate = certificate_of(identity_.certificate_pem);
  const std::unique_ptr<EVP_PKEY, FreeOpenssl> key(
      ::PEM_read_bio_PrivateKey(reading(identity_.key_pem).get(), nullptr, nullptr, nullptr));
  if (!tls_ || !certificate || !key || ::SSL_use_certificate(tls_.get(), certificate.get()) != 1 ||
      ::SSL_use_PrivateKey(tls_.get(), key.get()) != 1 || ::SSL_set_fd(tls_.get(), fd_) != 1 ||
      ::SSL_set1_host(tls_.get(), "localhost") != 1) {
    close();
    return tls_error("certificate of " + identity_.client_id);
  }
  ::SSL_set_tlsext_host_name(tls_.get(), "localhost");
  ::SSL_set_connect_state(tls_.get());
  state_ = State::kTcp;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = this;
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd_, &event);
  return {};
}

void MqttLink::close() {
  if (fd_ >= 0) ::close(fd_);  // epoll forgets it by itself
  fd_ = -1;
  tls_.reset();
  state_ = State::kClosed;
  in_.clear();
  out_.clear();
  out_at_ = 0;
}

void MqttLink::fail(const std::string& why) {
  close();
  listener_.on_closed(why);
}

void MqttLink::ready() {
  if (state_ == State::kTcp) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(std::string("connect: ") + std::strerror(error));
    tcp_info info{};
    size = sizeof info;
    ::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (info.tcpi_state != TCP_ESTABLISHED) return;  // The event of the fresh socket
    state_ = State::kTls;
  }
  if (state_ == State::kTls && !advance_handshake()) return;
  if (state_ == State::kClosed) return;
  flush();
  if (state_ != State::kClosed) read_all();
}

bool MqttLink::advance_handshake() {
  ::ERR_clear_error();
  const int done = ::SSL_do_handshake(tls_.get());
  if (done != 1) {
    const int error = ::SSL_get_error(tls_.get(), done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
      fail(tls_error("TLS handshake").message());
    return false;
  }
  state_ = State::kMqtt;
  std::string head;
  put_string(head, "MQTT");
  head.append({4, 2, 0, static_cast<char>(kKeepAliveSeconds)});  // 3.1.1, clean session
  put_string(head, identity_.client_id);
  put_packet(0x10, head, {});
  return true;
}

void MqttLink::read_all() {
  std::array<char, kReadBytes> buffer;
  for (;;) {
    ::ERR_clear_error();
    const int got = ::SSL_read(tls_.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      const int error = ::SSL_get_error(tls_.get(), got);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
      return fail("the broker closed the connection");
    }
    in_.append(buffer.data(), static_cast<std::size_t>(got));
    take_packets();
    if (state_ == State::kClosed) return;
  }
}

void MqttLink::take_packets() {
  std::size_t at = 0;
  while (in_.size() - at >= 2) {
    std::size_t length = 0;
    std::size_t used = 1;
    bool whole = false;
    for (int shift = 0; used < 5 && at + used < in_.size(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(in_[at + used++]);
      length |= static_cast<std::size_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) != 0) continue;
      whole = true;
      break;
    }
    if (!whole || in_.size() - at < used + length) break;
    take_packet(static_cast<std::uint8_t>(in_[at]),
                std::string_view(in_).substr(at + used, length));
    if (state_ == State::kClosed) return;
    at += used + length;
  }
  in_.erase(0, at);
}

void MqttLink::take_packet(std::uint8_t type, std::string_view body) {
  switch (type >> 4) {
    case kConnack:
      if (body.size() != 2 || body[1] != 0) return fail("the broker refused the connection");
      state_ = State::kUp;
      return listener_.on_connected();
    case kSuback:
      return listener_.on_subscribed();
    case kPuback:
      return listener_.on_confirmed();
    case kPublish: {
      const auto topic_size = static_cast<std::size_t>(static_cast<std::uint8_t>(body[0]) << 8 |
                                                       static_cast<std::uint8_t>(body[1]));
      const auto topic = body.substr(2, topic_size);
      body.remove_prefix(2 + topic_size);
      if ((type & 6) != 0) {
        put_packet(0x40, body.substr(0, 2), {});
        body.remove_prefix(2);
      }
      return listener_.on_message(topic, body);
    }
    default:
      return;  // PINGRESP
  }
}

void MqttLink::subscribe(std::string_view filter) {
  std::string head{0, 1};
  put_string(head, filter);
  head.push_back(1);
  put_packet(0x82, head, {});
}

void MqttLink::publish(std::string_view topic, std::string_view payload) {
  std::string head;
  put_string(head, topic);
  head.push_back(static_cast<char>(next_packet_id_ >> 8));
  head.push_back(static_cast<char>(next_packet_id_));
  if (++next_packet_id_ == 0) next_packet_id_ = 1;
  put_packet(0x32, head, payload);
}

void MqttLink::ping() {
  put_packet(0xC0, {}, {});
}

void MqttLink::put_packet(std::uint8_t first_byte, std::string_view head, std::string_view body) {
  if (state_ == State::kClosed) return;
  out_.push_back(static_cast<char>(first_byte));
  std::size_t length = head.size() + body.size();
  bytes_sent_ += length + 2;
  for (; length >= 0x80; length >>= 7) out_.push_back(static_cast<char>(length | 0x80));
  out_.push_back(static_cast<char>(length));
  out_.append(head).append(body);
  flush();
}

// A failed write shows as a failed read soon: nobody is told from here.
void MqttLink::flush() {
  while (out_at_ < out_.size()) {
    ::ERR_clear_error();
    const int sent =
        ::SSL_write(tls_.get(), out_.data() + out_at_,
                    static_cast<int>(std::min<std::size_t>(out_.size() - out_at_, 1U << 20)));
    if (sent <= 0) return;
    out_at_ += static_cast<std::size_t>(sent);
  }
  out_.clear();
  out_at_ = 0;
}

}  // namespace observeai::bench
