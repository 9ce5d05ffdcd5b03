#include "agent/executor/admission.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "host_time.h"
#include "protocol/base/files.h"
#include "protocol/wire/refusals.h"
#include "tests/support/command_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::CommandRig;
using observeai::test::ManualHostTime;
using observeai::test::TempDir;

namespace {

constexpr const char* kPolicy = R"(
enabled = true
max_tier = 1
max_per_hour = 2
cooldown = "1m"
[[allow]]
action = "docker.restart"
targets = ["container/web*"]
)";

struct OneHost {
  TempDir dir;
  CommandRig rig;
  ManualHostTime time;
  Trust trust = [this] {
    const auto root = rig.sign_root(rig.root_metadata());
    REQUIRE(write_trust(dir / "trust",
                        {rig.agent, rig.tenant, rig.result_key, root, signing::sha256_hex(root)}));
    return *Trust::open(dir / "trust", ::geteuid());
  }();
  Session session = *Session::open(dir / "run", trust.enrollment(), time);
  Ledger ledger = *Ledger::open(dir / "ledger.db", trust.enrollment());
  bool busy = false;
  bool ledger_works = true;
  std::uint64_t seq = 0;
  wire::Intent intent = rig.intent("docker.restart", {{"container", std::string("web")}});

  OneHost() {
    std::filesystem::create_directory(dir / "policy.d");
    ::chmod((dir / "policy.d").c_str(), 0755);
    set_policy(kPolicy);
    tell_time();
    intent.diff.fill(1);
    intent.state.fill(2);
  }
  void set_policy(const std::string& text) {
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", text, 0644));
  }
  void tell_time() {
    const auto challenge = session.challenge();
    REQUIRE(session.take_time({rig.agent, *challenge, rig.now_ms}));
  }
  void pass(std::int64_t ms) {
    time.advance(ms);
    rig.now_ms += ms;
  }
  AdmissionContext context() {
    return {trust,
            session,
            ledger_works ? &ledger : nullptr,
            "the disk is full",
            dir / "policy.d",
            ::geteuid(),
            time,
            [](const std::string& action) { return action != "systemd.restart"; },
            [this](const std::string&) { return busy; }};
  }
  wire::Command command() {
    intent.plan = *wire::PlanId::parse("plan-" + std::to_string(seq + 1));
    auto out = rig.execute(intent);
    rig.approve(out, {rig.alice});
    return addressed(std::move(out));
  }
  wire::Command dry_run() {
    auto without = intent;
    without.diff = {};
    without.state = {};
    return addressed(rig.dry_run(without));
  }
  wire::Command addressed(wire::Command out) {
    out.session = session.nonce();
    out.seq = ++seq;
    return out;
  }
  Admission admit_bytes(const std::string& envelope) { return admit(envelope, context()); }
  std::string reason(const wire::Command& command) {
    const auto admission = admit_bytes(rig.sign_command(command));
    if (admission.admittance == Admittance::kAdmitted) return "";
    REQUIRE(admission.admittance == Admittance::kRefused);
    CHECK(!admission.refusal.message.empty());
    return admission.refusal.reason;
  }
  template <class Change>
  std::string reason_with(Change change) {
    auto out = command();
    change(out);
    return reason(out);
  }
};

}  // namespace

TEST_CASE_FIXTURE(OneHost, "a command that holds is admitted, with all that the checks found out") {
  const auto admission = admit_bytes(rig.sign_command(command()));
  REQUIRE_MESSAGE(admission.admittance == Admittance::kAdmitted, admission.refusal.message);
  CHECK(admission.received.target == "container/web");
  CHECK(admission.received.manifest->name == "docker.restart");
  CHECK(admission.received.in_ledger);
  CHECK(admission.received.now_ms == rig.now_ms);
  CHECK(admission.received.cooldown == std::chrono::minutes(1));
  CHECK((*ledger.find(admission.received.command.id))->state == Ledger::State::kReceived);
  CHECK(session.sequence() == 1);
}

TEST_CASE_FIXTURE(OneHost, "bytes that are no command of a signer") {
  const auto good = rig.sign_command(command());
  const auto reason_of = [&](const std::string& bytes) {
    const auto admission = admit_bytes(bytes);
    return std::string(admission.admittance == Admittance::kRefused ? admission.refusal.reason
                                                                    : "admitted");
  };
  CHECK(reason_of(std::string(wire::kMaxCommandBytes + 1, 'x')) == "oversized");
  CHECK(reason_of("x") == "malformed");
  CHECK(reason_of(good + "x") == "malformed");
  const auto payload = *wire::encode_command(command());
  const auto signed_by = [&](const std::vector<signing::SigningKeyPair>& keys) {
    return reason_of(test::sign(wire::kCommandType, payload, keys));
  };
  CHECK(reason_of(test::sign(wire::kApprovalType, payload, {rig.signer})) == "wrong_type");
  CHECK(signed_by({rig.stranger}) == "bad_signature");
  CHECK(signed_by({rig.alice, rig.root_a, rig.audit}) == "bad_signature");
  CHECK(signed_by({}) == "bad_signature");
  CHECK(reason_of(test::sign(wire::kCommandType, "no command", {rig.signer})) == "malformed");
  CHECK(session.sequence() == 0);
  CHECK(reason_of(good) == "admitted");
}

TEST_CASE_FIXTURE(OneHost, "a command outside of its signer's delegation") {
  intent.tenant = *TenantId::parse("tenant-2");
  CHECK(reason(command()) == "out_of_delegation");
  intent.tenant = rig.tenant;
  intent.action = "docker.unheard";
  CHECK(reason(command()) == "out_of_delegation");
  intent.action = "docker.restart";
  auto wide = command();
  wide.batch_size = 101;
  CHECK(reason(wide) == "out_of_delegation");
  pass(91LL * 86'400'000);  // Behind the delegation's end, before the root's
  CHECK(reason(command()) == "out_of_delegation");
}

TEST_CASE_FIXTURE(OneHost, "a command for somebody else") {
  const auto other = *TenantId::parse("tenant-2");
  auto root = rig.root_metadata(2);
  root.signers[0].delegation.tenants.push_back(other);
  REQUIRE(trust.take_root(rig.sign_root(root)));
  intent.tenant = other;
  CHECK(reason(command()) == "wrong_tenant");
  intent.tenant = rig.tenant;
  intent.agent = *AgentId::parse("agent-2");
  CHECK(reason(command()) == "wrong_host");
  intent.agent = rig.agent;
  CHECK(reason_with([](auto& one) { one.enrollment[0] ^= 1; }) == "wrong_enrollment");
  CHECK(reason_with([](auto& one) { one.session[0] ^= 1; }) == "wrong_session");
  CHECK(session.sequence() == 0);
}

TEST_CASE_FIXTURE(OneHost, "root metadata that is behind or over") {
  CHECK(reason_with([](auto& one) { one.root_version = 2; }) == "root_outdated");
  REQUIRE(session.note_root(2));  // As after the state folder came back from a copy
  CHECK(reason(command()) == "root_outdated");
  auto root = rig.root_metadata(2);
  root.expires_ms = rig.now_ms;
  REQUIRE(trust.take_root(rig.sign_root(root)));
  CHECK(reason(command()) == "root_expired");
}

TEST_CASE_FIXTURE(OneHost, "a command at the wrong time") {
  CHECK(reason_with([&](auto& one) { one.not_before_ms = rig.now_ms + 1; }) == "too_early");
  CHECK(reason_with([&](auto& one) {
          one.issued_ms = one.not_before_ms = rig.now_ms - 10;
          one.expires_ms = rig.now_ms;
        }) == "expired");
  CHECK(reason_with([&](auto& one) {
          one.expires_ms = one.issued_ms + wire::kMaxCommandLifetimeMs + 1;
        }) == "lifetime");
  CHECK(session.sequence() == 0);
  time.wall += 2 * kMaxClockJumpMs;
  CHECK(reason(command()) == "wrong_session");
  CHECK(reason(command()) == "time_unknown");  // Of the new session
}

TEST_CASE_FIXTURE(OneHost,
                  "a repeated command gets what came of it; its id with other bytes nothing") {
  const auto first = command();
  const auto bytes = rig.sign_command(first);
  REQUIRE(admit_bytes(bytes).admittance == Admittance::kAdmitted);
  CHECK(admit_bytes(bytes).admittance == Admittance::kAtWork);
  REQUIRE(ledger.finish(first.id, "signed result"));
  const auto again = admit_bytes(bytes);
  CHECK(again.admittance == Admittance::kDone);
  CHECK(again.result == "signed result");
  CHECK(reason_with([&](auto& one) { one.id = first.id; }) == "replayed");
  CHECK(reason_with([&](auto& one) { one.seq = first.seq; }) == "sequence");
}

TEST_CASE_FIXTURE(OneHost, "the sequence of the session holds when the ledger is an old copy") {
  REQUIRE(session.note_sequence(50));
  CHECK(reason(command()) == "sequence");
  seq = 50;
  CHECK(reason(command()) == "");
}

TEST_CASE_FIXTURE(OneHost, "without a ledger nothing is done") {
  ledger_works = false;
  CHECK(reason(command()) == "ledger");
}

TEST_CASE_FIXTURE(OneHost, "kill switch and policy") {
  const std::string off = dir / "DISABLE_COMMANDS";
  REQUIRE(files::write_atomic(off, "", 0644));
  CHECK(reason(command()) == "disabled");
  CHECK(reason(dry_run()) == "");
  ::unlink(off.c_str());
  ::chmod((dir / "policy.d/a.toml").c_str(), 0666);
  CHECK(reason(command()) == "policy_unreadable");
  CHECK(reason(dry_run()) == "policy_unreadable");
  set_policy("what = is this");
  CHECK(reason(command()) == "policy_unreadable");
  std::filesystem::remove_all(dir / "policy.d");
  CHECK(reason(command()) == "policy");
  CHECK(reason(dry_run()) == "");
}

TEST_CASE_FIXTURE(OneHost, "an action that is not what was approved") {
  const auto good = intent;
  intent.action_version = 77;
  CHECK(reason(command()) == "wrong_manifest");
  intent = good;
  intent.manifest[0] ^= 1;
  CHECK(reason(command()) == "wrong_manifest");
  intent = rig.intent("systemd.restart", {{"unit", std::string("nginx.service")}});
  intent.diff.fill(1);
  CHECK(reason(command()) == "unknown_action");
  intent = good;
  intent.tier = 0;
  CHECK(reason(command()) == "wrong_tier");
  intent = good;
  intent.roll_back = true;
  CHECK(reason(command()) == "bad_parameter");
}

TEST_CASE_FIXTURE(OneHost, "parameters that are none") {
  for (const char* name : {"--privileged", "web;reboot", "../web", "$(id)", "web web"}) {
    CAPTURE(name);
    intent.parameters = {{"container", std::string(name)}};
    CHECK(reason(command()) == "bad_parameter");
  }
  intent.parameters = {{"container", std::string("web")}, {"force", true}};
  CHECK(reason(command()) == "bad_parameter");
  intent.parameters = {{"container", std::int64_t{7}}};
  CHECK(reason(command()) == "bad_parameter");
  intent.parameters = {};
  CHECK(reason(command()) == "bad_parameter");
}

TEST_CASE_FIXTURE(OneHost, "approvals are asked for by tier, and by the policy above it") {
  CHECK(reason(addressed(rig.execute(intent))) == "approval_missing");
  set_policy(std::string(kPolicy) + "[approvals]\ntier1 = 2\n");
  CHECK(reason(command()) == "approval_missing");
}

TEST_CASE_FIXTURE(OneHost, "a command outside of the policy") {
  intent.parameters = {{"container", std::string("db")}};
  CHECK(reason(command()) == "policy");
  CHECK(reason(dry_run()) == "policy");
  intent.parameters = {{"container", std::string("web")}};
  CHECK(reason_with([](auto& one) { one.policy.fill(7); }) == "policy");
  const auto hash = load_policy(dir / "policy.d", ::geteuid())->hash;
  CHECK(reason_with([&](auto& one) { one.policy = hash; }) == "");
}

TEST_CASE_FIXTURE(OneHost, "rate, cool-down and what is at work") {
  busy = true;
  CHECK(reason(command()) == "busy");
  busy = false;
  const auto start = [&](const wire::Command& one) {
    REQUIRE(admit_bytes(rig.sign_command(one)).admittance == Admittance::kAdmitted);
    REQUIRE(ledger.start({one.id, wire::digest_of(one.intent), "container/web", "docker.restart",
                          *session.trusted_ms(), "d", ""}));
    REQUIRE(ledger.finish(one.id, "result"));
  };
  start(command());
  pass(59'999);
  CHECK(reason(command()) == "cooldown");
  CHECK(reason(dry_run()) == "");
  pass(1);
  start(command());
  pass(120'000);
  CHECK(reason(command()) == "rate");
  CHECK(reason(dry_run()) == "");
  pass(3'600'000);
  CHECK(reason(command()) == "");
}

TEST_CASE_FIXTURE(OneHost,
                  "what was approved is executed once, and tried as often as it is refused") {
  const auto first = command();
  const auto anew = [&] {
    auto out = first;
    signing::random_bytes(out.id);
    return addressed(std::move(out));
  };
  busy = true;
  CHECK(reason(first) == "busy");
  busy = false;
  CHECK(reason(anew()) == "");
  auto waiting = admit_bytes(rig.sign_command(anew()));
  REQUIRE(waiting.admittance == Admittance::kAdmitted);
  const auto started = anew();
  REQUIRE(reason(started) == "");
  REQUIRE(ledger.start({started.id, wire::digest_of(started.intent), "container/web",
                        "docker.restart", rig.now_ms, "d", ""}));
  pass(120'000);
  CHECK(reason(anew()) == "replayed");
  CHECK(check_again(waiting.received, context())->reason == std::string("replayed"));
  CHECK(reason(command()) == "");
}

TEST_CASE_FIXTURE(OneHost, "what changes while a command waits for its turn is seen") {
  auto admission = admit_bytes(rig.sign_command(command()));
  REQUIRE(admission.admittance == Admittance::kAdmitted);
  const auto again = [&] {
    const auto refused = check_again(admission.received, context());
    return std::string(refused ? refused->reason : "");
  };
  CHECK(again() == "");
  set_policy("enabled = true\n");
  CHECK(again() == "policy");
  set_policy(std::string("max_tier = \"all\"\n"));
  CHECK(again() == "policy_unreadable");
  set_policy(kPolicy);
  CHECK(again() == "");
  // The host's own name of the target is judged too, and it stays what the lock is on.
  admission.received.target = "container/db";
  CHECK(again() == "policy");
  CHECK(admission.received.target == "container/db");
  admission.received.target = "container/web-1";
  CHECK(again() == "");
  CHECK(admission.received.target == "container/web-1");
  ledger_works = false;
  CHECK(again() == "ledger");
  ledger_works = true;
  const std::string off = dir / "DISABLE_COMMANDS";
  REQUIRE(files::write_atomic(off, "", 0644));
  CHECK(again() == "disabled");
  ::unlink(off.c_str());
  pass(15LL * 60'000);
  CHECK(again() == "expired");
  time.wall += 2 * kMaxClockJumpMs;
  CHECK(again() == "wrong_session");
}
