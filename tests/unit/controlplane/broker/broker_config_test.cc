#include <doctest/doctest.h>

#include <unistd.h>

#include "controlplane/broker/broker_config.h"
#include "controlplane/broker/broker_user.h"
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
  const auto config = render_config(settings);
  REQUIRE(config);
  for (const char* line :
       {"listener 18883 0.0.0.0", "cafile ca.pem", "certfile server.pem", "keyfile server.key",
        "crlfile crl.pem", "acl_file acl", "require_certificate true",
        "use_identity_as_username true", "use_username_as_clientid true", "allow_anonymous false",
        "tls_version tlsv1.2", "persistence false", "log_dest stderr", "user observeai-cp",
        "message_size_limit 1048576", "max_packet_size 1049600", "max_queued_messages 20000",
        "max_queued_bytes 67108864", "max_keepalive 120"}) {
    CAPTURE(line);
    CHECK(has_line(*config, line));
  }
  CHECK(config->find("per_listener_settings") == std::string::npos);
}

TEST_CASE("the broker takes the largest sealed batch, and nothing larger") {
  CHECK(kMaxBrokerPayload == wire::kMaxSealedBytes);
}

TEST_CASE("the user is one of its own, and the configuration says which") {
  CHECK(user_in_config(render_config({}).value()) == "mosquitto");
  BrokerSettings settings;
  settings.user = "mq";
  CHECK(user_in_config(render_config(settings).value()) == "mq");
  CHECK(user_in_config("listener 1883\n").empty());
}

TEST_CASE("root starts the broker as nobody who is missing or root") {
  if (::geteuid() != 0) {
    CHECK_FALSE(find_broker_user("root").value().has_value());
    return;
  }
  const auto missing = find_broker_user("no-such-user");
  REQUIRE(!missing.has_value());
  CHECK(missing.error().code() == Errc::kNotFound);
  CHECK(missing.error().message().find("install the package mosquitto") != std::string::npos);
  CHECK(find_broker_user("").error().code() == Errc::kNotFound);
  CHECK(find_broker_user("root").error().code() == Errc::kInvalid);
  CHECK(find_broker_user("nobody").value()->uid != 0);
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
  const auto config = render_config(settings);
  REQUIRE(!config.has_value());
  CHECK(config.error().code() == Errc::kInvalid);
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
