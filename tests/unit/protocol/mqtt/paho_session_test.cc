#include "protocol/mqtt/paho_session.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::mqtt;

namespace {

// A port of this host on which somebody listens and nobody answers.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    REQUIRE(::bind(socket_, address, size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    REQUIRE(::getsockname(socket_, address, &size) == 0);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::uint16_t port() const { return ntohs(address_.sin_port); }
  bool was_called() const {
    pollfd waiting{socket_, POLLIN, 0};
    return ::poll(&waiting, 1, 0) == 1;
  }

 private:
  const int socket_;
  sockaddr_in address_{};
};

}  // namespace

TEST_CASE("a session that was muted before its turn connects nowhere") {
  const test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "ca.pem", "", 0600));
  const Listener listener;
  Identity identity;
  identity.host = "127.0.0.1";
  identity.port = listener.port();
  identity.client_id = "agent-1";
  identity.ca_file = dir / "ca.pem";
  const auto posted = std::make_shared<int>(0);
  const auto session = std::make_shared<PahoSession>(
      identity, [posted](const std::function<void()>&) { ++*posted; }, SessionEvents(),
      std::make_shared<InboundMeter>());
  session->mute();
  session->start();
  session->finish();
  CHECK(*posted == 0);
  CHECK_FALSE(listener.was_called());
}
