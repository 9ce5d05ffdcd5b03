// Approving on the console: what is signed is what was decoded and shown here.
#include <sstream>

#include <doctest/doctest.h>
#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "controlplane/cli/json_view.h"
#include "controlplane/cli/plan_commands.h"
#include "controlplane/cli/plan_console.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/key_files.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/cli/scripted_client.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::int64_t kNow = 1'700'000'000'000;

wire::Intent intent_for(const char* agent) {
  const auto* manifest = actions::find("docker.restart");
  wire::Intent intent;
  intent.plan = wire::PlanId::parse("p-1").value();
  intent.tenant = TenantId::parse("default").value();
  intent.agent = AgentId::parse(agent).value();
  intent.action = "docker.restart";
  intent.action_version = manifest->version;
  intent.manifest = actions::manifest_hash(*manifest);
  intent.parameters = {{"container", std::string("web")}};
  intent.state.fill(7);
  intent.diff = wire::diff_digest({{"container/web: started", "12:00", "now"}});
  intent.tier = manifest->tier;
  intent.requester = "carol";
  return intent;
}

json::object card_of(const std::vector<wire::Intent>& intents) {
  std::vector<std::string> leaves;
  json::array targets;
  for (const auto& intent : intents) {
    leaves.push_back(wire::encode_intent(intent).value());
    targets.push_back(json::object{
        {"agent_id", intent.agent.value()},
        {"hostname", "web\x1b[31m"},
        {"target", "container/web"},
        {"state", "simulated"},
        {"diff", json::array{json::object{
                     {"what", "container/web: started"}, {"before", "12:00"}, {"after", "now"}}}},
        {"intent", text::to_base64url(text::as_bytes(leaves.back()))},
        {"result", nullptr}});
  }
  const auto tree = signing::MerkleTree::create(leaves).value();
  return {{"id", "p-1"},
          {"tenant", "default"},
          {"action", "docker.restart"},
          {"state", "simulated"},
          {"requester", "carol"},
          {"tier", 1},
          {"expires_ms", kNow + 600'000},
          {"batch_root", text::to_hex(tree.root())},
          {"batch_size", intents.size()},
          {"approvers_needed", 1},
          {"targets", std::move(targets)}};
}

struct Fixture {
  ScriptedClient* http = new ScriptedClient;
  ApiClient api{std::unique_ptr<http::HttpClient>(http), "oak1_id_secret"};
  Terminal terminal;
  std::ostringstream out;
  std::ostringstream err;
  Context context{api, terminal, false, out, err};
  test::TempDir folder;
  signing::SigningKeyPair key = signing::SigningKeyPair::generate();
  ApproveOptions options;

  Fixture() {
    options.plan = "p-1";
    options.key_file = folder / "approver.key";
    options.passphrase.file = folder / "passphrase";
    REQUIRE(signing::save_signing_key(options.key_file, key));
  }
  Result<void> approve(const json::object& card, const std::string& answer = "yes\n") {
    http->bodies["/v1/plans/p-1"] = json::serialize(card);
    std::istringstream in(answer);
    return approve_plan(context, options, in, kNow);
  }
  bool has_posted() const { return http->last.method == "POST"; }
};

TEST_CASE("an approval is signed over the root that was computed here, and the plan's expiry") {
  Fixture f;
  REQUIRE(f.approve(card_of({intent_for("web-1"), intent_for("web-2")})));
  REQUIRE(f.has_posted());
  CHECK(f.http->last.path == "/v1/plans/p-1/approvals");
  const auto body = json::parse(f.http->last.body).as_object();
  const auto bytes = text::from_base64url(body.at("envelope").as_string()).value();
  const auto envelope = wire::decode_envelope(text::as_text(bytes)).value();
  const std::array trusted{f.key.public_key()};
  CHECK(signing::verify(envelope, wire::kApprovalType, 1, trusted));
  const auto approval = wire::decode_approval(envelope.payload).value();
  CHECK(approval.plan.value() == "p-1");
  CHECK(approval.batch_size == 2);
  CHECK(approval.issued_ms == kNow);
  CHECK(approval.expires_ms == kNow + 600'000);
  const std::vector<std::string> leaves{wire::encode_intent(intent_for("web-1")).value(),
                                        wire::encode_intent(intent_for("web-2")).value()};
  CHECK(approval.batch_root == signing::MerkleTree::create(leaves)->root());
}

// When the approval ends that was posted.
std::int64_t posted_end(const Fixture& f) {
  const auto body = json::parse(f.http->last.body).as_object();
  const auto bytes = text::from_base64url(body.at("envelope").as_string()).value();
  const auto envelope = wire::decode_envelope(text::as_text(bytes)).value();
  return wire::decode_approval(envelope.payload).value().expires_ms;
}

TEST_CASE("an approval lasts for an hour unless its person says more, whatever the server says") {
  constexpr std::int64_t kHour = 3'600'000;
  auto card = card_of({intent_for("web-1")});
  card["expires_ms"] = kNow + 20 * kHour;
  {
    Fixture f;
    REQUIRE(f.approve(card));
    CHECK(posted_end(f) == kNow + kHour);
    CHECK(f.out.str().find("can be used until 2023-11-14T23:13:20") != std::string::npos);
    CHECK(f.out.str().find("--valid-for") != std::string::npos);
  }
  {
    Fixture f;
    f.options.valid_for = "4h";
    REQUIRE(f.approve(card));
    CHECK(posted_end(f) == kNow + 4 * kHour);
  }
  {
    Fixture f;
    f.options.valid_for = "24h";
    REQUIRE(f.approve(card));
    CHECK(posted_end(f) == kNow + 20 * kHour);
    CHECK(f.out.str().find("--valid-for") == std::string::npos);
  }
  for (const char* wrong : {"25h", "soon", "0s"}) {
    Fixture f;
    CAPTURE(wrong);
    f.options.valid_for = wrong;
    CHECK_FALSE(f.approve(card));
    CHECK_FALSE(f.has_posted());
  }
  Fixture f;
  card["expires_ms"] = kNow;
  CHECK_FALSE(f.approve(card));
  CHECK_FALSE(f.has_posted());
}

TEST_CASE("a server that shows one thing and has another signed gets no signature" *
          doctest::test_suite("attacks")) {
  const auto is_refused = [](auto change) {
    Fixture f;
    auto card = card_of({intent_for("web-1")});
    change(card, card.at("targets").as_array().at(0).as_object());
    const auto done = f.approve(card);
    return !done && !f.has_posted();
  };
  CHECK(is_refused([](auto& card, auto&) { card["batch_root"] = std::string(64, '0'); }));
  CHECK(is_refused([](auto& card, auto&) { card["batch_size"] = 2; }));
  CHECK(is_refused([](auto& card, auto&) { card["id"] = "p-2"; }));
  CHECK(is_refused([](auto& card, auto&) { card["tenant"] = "other"; }));
  CHECK(is_refused([](auto& card, auto&) { card["action"] = "docker.stop"; }));
  CHECK(is_refused([](auto& card, auto&) { card["requester"] = "ann"; }));
  CHECK(is_refused([](auto&, auto& target) { target["agent_id"] = "web-9"; }));
  CHECK(is_refused([](auto&, auto& target) { target["diff"] = json::array(); }));
  CHECK(is_refused(
      [](auto&, auto& target) { target["diff"].as_array()[0].as_object()["after"] = "nothing"; }));
  CHECK(is_refused([](auto&, auto& target) { target["intent"] = "AAAA"; }));
  // A widened batch: one host more than is shown, under its true root.
  CHECK(is_refused([](auto& card, auto&) {
    const auto wide = card_of({intent_for("web-1"), intent_for("db-1")});
    card["batch_root"] = wide.at("batch_root");
    card["batch_size"] = 2;
  }));
  CHECK(is_refused([](auto& card, auto&) { card["state"] = "executing"; }));
}

TEST_CASE("an intent that the catalogue does not allow is not signed, whatever its root" *
          doctest::test_suite("attacks")) {
  Fixture f;
  auto intent = intent_for("web-1");
  intent.parameters["container"] = std::string("--privileged");
  CHECK_FALSE(f.approve(card_of({intent})));
  intent = intent_for("web-1");
  intent.manifest[0] ^= 1;
  CHECK_FALSE(f.approve(card_of({intent})));
  intent = intent_for("web-1");
  intent.tier = 0;
  CHECK_FALSE(f.approve(card_of({intent})));
  CHECK_FALSE(f.has_posted());
}

TEST_CASE("only a whole yes is a yes" * doctest::test_suite("attacks")) {
  for (const char* answer : {"", "y\n", "no\n", "YES\n", "yes please\n"}) {
    Fixture f;
    CAPTURE(answer);
    CHECK_FALSE(f.approve(card_of({intent_for("web-1")}), answer));
    CHECK_FALSE(f.has_posted());
  }
}

TEST_CASE("a sealed key is opened with its passphrase only" * doctest::test_suite("attacks")) {
  Fixture f;
  REQUIRE(signing::save_signing_key(f.options.key_file, f.key, "correct horse"));
  REQUIRE(files::write_atomic(f.options.passphrase.file, "wrong\n", 0600));
  CHECK_FALSE(f.approve(card_of({intent_for("web-1")})));
  CHECK_FALSE(f.has_posted());
  REQUIRE(files::write_atomic(f.options.passphrase.file, "correct horse\n", 0600));
  CHECK(f.approve(card_of({intent_for("web-1")})));
}

TEST_CASE("foreign text on a card is printable on the terminal" * doctest::test_suite("attacks")) {
  Fixture f;
  REQUIRE(f.approve(card_of({intent_for("web-1")})));
  CHECK(f.out.str().find('\x1b') == std::string::npos);
  CHECK(f.out.str().find("\\x1b[31m") != std::string::npos);
  CHECK(f.out.str().find("container=web  stop_timeout_s=10 (default)\n") != std::string::npos);
  CHECK(f.out.str().find("requested by carol: if that is you") != std::string::npos);
  CHECK(f.out.str().find("12:00 -> now") != std::string::npos);
}

TEST_CASE("a plan is asked for with texts, and what the hosts said is shown") {
  Fixture f;
  auto card = card_of({intent_for("web-1")});
  card["checks"] = json::array{json::object{{"name", "downtime"},
                                            {"verdict", "warn"},
                                            {"value", "about 4 s"},
                                            {"sentence", "no other replica"}}};
  f.http->next = http::Response{201, {}, json::serialize(card)};
  PlanOptions options;
  options.action = "docker.restart";
  options.hosts = {"web1"};
  options.settings = {"container=web", "stop_timeout_s=5"};
  options.symptom = "m:0:1.5";
  REQUIRE(create_plan(f.context, options));
  const auto body = json::parse(f.http->last.body).as_object();
  CHECK(body.at("parameters").as_object().at("stop_timeout_s").as_string() == "5");
  CHECK(body.at("symptom_high").as_string() == "1.5");
  CHECK(f.out.str().find("no other replica") != std::string::npos);
  CHECK(f.out.str().find("observeai approve p-1") != std::string::npos);
  options.settings = {"container"};
  CHECK_FALSE(create_plan(f.context, options));
}

TEST_CASE("a parameter that is named twice is refused: which of the two was meant?") {
  Fixture f;
  PlanOptions options;
  options.action = "docker.restart";
  options.hosts = {"web1"};
  options.settings = {"container=web", "container=db"};
  const auto done = create_plan(f.context, options);
  REQUIRE_FALSE(done);
  CHECK(done.error().code() == Errc::kInvalid);
  CHECK_FALSE(f.has_posted());
}

// What a command line does: parsed, and carried out against the scripted server. nullopt: wrong usage.
std::optional<Result<void>> type(Fixture& f, std::vector<std::string> words) {
  CLI::App app("", "observeai");
  bool json_wanted = false;
  PlanConsole::Action chosen;
  PlanConsole console(app, json_wanted,
                      [&](PlanConsole::Action action) { chosen = std::move(action); });
  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return chosen(f.context);
}

TEST_CASE(
    "a freeze is set, looked at and ended by what is typed, and nothing else is taken for it") {
  const auto posted = [](const Fixture& f) {
    for (const auto& body : f.http->posted) return json::parse(body).as_object();
    return json::object();
  };
  {
    Fixture f;
    const auto done = type(f, {"maintenance", "--reason", "release", "--for", "2h"});
    REQUIRE((done && *done));
    CHECK(posted(f).at("active").as_bool());
    CHECK(posted(f).at("reason").as_string() == "release");
    CHECK(posted(f).at("until_ms").as_int64() > kNow);
  }
  for (const bool with_reason : {false, true}) {
    CAPTURE(with_reason);
    Fixture f;
    std::vector<std::string> words{"maintenance", "--clear"};
    if (with_reason) words.insert(words.end(), {"--reason", "it is out"});
    const auto done = type(f, words);
    REQUIRE((done && *done));
    REQUIRE(posted(f).contains("active"));
    CHECK_FALSE(posted(f).at("active").as_bool());
    CHECK(posted(f).contains("reason") == with_reason);
  }
  {
    Fixture f;
    const auto done = type(f, {"maintenance"});
    REQUIRE((done && *done));
    CHECK(f.http->posted.empty());
  }
  const std::vector<std::vector<std::string>> wrong{
      {"maintenance", "--for", "2h"},
      {"maintenance", "--reason", ""},
      {"maintenance", "--clear", "--for", "2h"},
      {"maintenance", "--reason", "release", "--for", "0s"},
      {"maintenance", "--reason", "release", "--for", "soon"}};
  for (const auto& words : wrong) {
    CAPTURE(words.back());
    Fixture f;
    const auto done = type(f, words);
    CHECK((!done || !*done));
    CHECK(f.http->posted.empty());
  }
}

TEST_CASE("an action that does not exist is an error, not an empty page") {
  Fixture f;
  f.http->bodies["/v1/actions"] = R"({"actions": [{"name": "docker.restart", "parameters": []}]})";
  const auto wrong = type(f, {"plan", "actions", "docker.restrat"});
  REQUIRE(wrong);
  REQUIRE_FALSE(*wrong);
  CHECK(wrong->error().code() == Errc::kNotFound);
  CHECK(wrong->error().message().find("did you mean docker.restart") != std::string::npos);
  const auto right = type(f, {"plan", "actions", "docker.restart"});
  CHECK((right && *right));
}

}  // namespace
}  // namespace observeai::controlplane::cli
