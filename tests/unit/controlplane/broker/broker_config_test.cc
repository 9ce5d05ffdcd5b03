#include <doctest/doctest.h>

#include "controlplane/broker/broker_config.h"
#include "protocol/wire/batch_codec.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {
bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}
}  // namespace

TEST_CASE("the configuration says everything that must not be left to a default") {
  BrokerSettings settings;
  settings.address = "0.0.0.0";
  settings.port = 18883;
  settings.user = "observeai-cp";
  const auto config = render_config(settings, "/state/broker/gen-4");
  REQUIRE(config);
  for (const char* line :
       {"listener 18883 0.0.0.0", "cafile /state/broker/gen-4/ca.pem",
        "certfile /state/broker/gen-4/server.pem", "keyfile /state/broker/gen-4/server.key",
        "crlfile /state/broker/gen-4/crl.pem", "acl_file /state/broker/gen-4/acl",
        "require_certificate true", "use_identity_as_username true",
        "use_username_as_clientid true", "allow_anonymous false", "tls_version tlsv1.2",
        "persistence false", "log_dest stderr", "user observeai-cp", "message_size_limit 1048576",
        "max_packet_size 1049600", "max_queued_messages 1000", "max_queued_bytes 8388608",
        "max_keepalive 120"}) {
    CAPTURE(line);
    CHECK(has_line(*config, line));
  }
  CHECK(config->find("per_listener_settings") == std::string::npos);
}

TEST_CASE("the broker takes the largest sealed batch, and nothing larger") {
  CHECK(kMaxBrokerPayload == wire::kMaxSealedBytes);
}

TEST_CASE("without a user it names the one who starts it") {
  const auto config = render_config({}, "/d");
  REQUIRE(config);
  CHECK(config->find("\nuser ") != std::string::npos);
  CHECK(config->find("\nuser \n") == std::string::npos);
}

TEST_CASE("a value cannot break out of its line") {
  BrokerSettings settings;
  settings.user = "me";
  SUBCASE("address") {
    settings.address = "127.0.0.1\nallow_anonymous true";
  }
  SUBCASE("address with a second word") {
    settings.address = "127.0.0.1 ipv4";
  }
  SUBCASE("empty address") {
    settings.address = "";
  }
  SUBCASE("user") {
    settings.user = "me\nacl_file /dev/null";
  }
  const auto config = render_config(settings, "/d");
  REQUIRE(!config.has_value());
  CHECK(config.error().code() == Errc::kInvalid);
  CHECK(!render_config({}, "/d\nallow_anonymous true").has_value());
}

TEST_CASE("the ACL: agents by pattern, ingest by name, revoked agents denied") {
  BrokerSettings settings;
  settings.ingest_names = {"cp-ingest-0", "cp-ingest-1"};
  const auto acl =
      render_acl(settings, {AgentId::parse("bad-1").value(), AgentId::parse("bad-2").value()});
  REQUIRE(acl);
  CHECK(*acl ==
        "# Agents, by the common name of their certificate.\n"
        "pattern write observeai/v1/+/+/%u/up/#\n"
        "pattern read observeai/v1/+/+/%u/down/#\n"
        "\nuser cp-ingest-0\n"
        "topic read observeai/v1/+/+/+/up/#\n"
        "topic write observeai/v1/+/+/+/down/#\n"
        "\nuser cp-ingest-1\n"
        "topic read observeai/v1/+/+/+/up/#\n"
        "topic write observeai/v1/+/+/+/down/#\n"
        "\nuser cp-canary\n"
        "topic read observeai/v1/canary/+/+/up/#\n"
        "topic write observeai/v1/canary/+/+/down/#\n"
        "\nuser bad-1\n"
        "topic deny #\n"
        "\nuser bad-2\n"
        "topic deny #\n");
}

TEST_CASE("names that are no ids are refused") {
  BrokerSettings settings;
  settings.ingest_names = {"cp-ingest-0\ntopic readwrite #"};
  CHECK(!render_acl(settings, {}).has_value());
  CHECK(!render_acl({}, {AgentId()}).has_value());
}
