// Each bound of command_codec.h at it and above it, and what must go together.
#include <doctest/doctest.h>

#include "observeai/v1/command.pb.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/unit/protocol/wire/command_values.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

// Encodes what `change` makes of `value`; what encodes must decode to the same.
template <class Value, class Encode, class Decode>
auto trial(Value value, Encode encode, Decode decode) {
  return [=](auto change) -> std::optional<Errc> {
    auto changed = value;
    change(changed);
    const auto bytes = encode(changed);
    if (!bytes) return bytes.error().code();
    CHECK(decode(*bytes).value() == changed);
    return std::nullopt;
  };
}

constexpr auto kGood = std::optional<Errc>();
constexpr auto kInvalid = std::optional<Errc>(Errc::kInvalid);
constexpr auto kLimit = std::optional<Errc>(Errc::kLimit);
constexpr std::int64_t kLastMs = 253'402'300'799'999;

const auto intent = trial(test::intent(), encode_intent, decode_intent);
const auto execute = trial(test::execute(), encode_command, decode_command);
const auto dry_run = trial(test::dry_run(), encode_command, decode_command);
const auto approval = trial(test::approval(), encode_approval, decode_approval);
const auto result = trial(test::result(), encode_result, decode_result);

// Texts that check_text refuses whatever they are for.
const std::vector<std::string> kBadTexts = {
    "a\nb", "a\tb", std::string("a\0b", 3), "\x1b[31m",    "\x7f", "\xC2\x85",
    "\xFF", "\xC3", "\xE2\x80\xAE",         "\xED\xA0\x80"};

}  // namespace

TEST_CASE("intents at their bounds") {
  CHECK(intent([](Intent& v) { v.plan = {}; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.tenant = {}; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.agent = {}; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.action = std::string(64, 'a'); }) == kGood);
  CHECK(intent([](Intent& v) { v.action = std::string(65, 'a'); }) == kInvalid);
  for (const auto* bad : {"", "Docker", "a b", "a/b", "a\n"}) {
    CHECK(intent([&](Intent& v) { v.action = bad; }) == kInvalid);
  }
  CHECK(intent([](Intent& v) { v.action_version = 0; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.manifest = {}; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.tier = 2; }) == kGood);
  CHECK(intent([](Intent& v) { v.tier = 3; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.timeout_ms = kMinTimeoutMs; }) == kGood);
  CHECK(intent([](Intent& v) { v.timeout_ms = kMinTimeoutMs - 1; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.timeout_ms = kMaxTimeoutMs; }) == kGood);
  CHECK(intent([](Intent& v) { v.timeout_ms = kMaxTimeoutMs + 1; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.output_limit = 0; }) == kGood);
  CHECK(intent([](Intent& v) { v.output_limit = kMaxOutputBytes; }) == kGood);
  CHECK(intent([](Intent& v) { v.output_limit = kMaxOutputBytes + 1; }) == kLimit);
  CHECK(intent([](Intent& v) { v.requester = std::string(kMaxPersonBytes, 'a'); }) == kGood);
  CHECK(intent([](Intent& v) { v.requester = std::string(kMaxPersonBytes + 1, 'a'); }) == kLimit);
  CHECK(intent([](Intent& v) { v.requester = ""; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.requester = "ada lovelace"; }) == kInvalid);
  CHECK(intent([](Intent& v) { v.incident = ""; }) == kGood);
  CHECK(intent([](Intent& v) { v.incident = std::string(64, 'a'); }) == kGood);
  CHECK(intent([](Intent& v) { v.incident = std::string(65, 'a'); }) == kLimit);
}

TEST_CASE("parameters at their bounds") {
  const auto with = [](const std::string& name, const ParameterValue& value) {
    return intent([&](Intent& v) { v.parameters = {{name, value}}; });
  };
  const auto many = [](std::size_t count) {
    return intent([count](Intent& v) {
      v.parameters.clear();
      for (std::size_t i = 0; i < count; ++i) v.parameters["p" + std::to_string(i)] = true;
    });
  };
  CHECK(many(0) == kGood);
  CHECK(many(kMaxParameters) == kGood);
  CHECK(many(kMaxParameters + 1) == kLimit);
  CHECK(with(std::string(64, 'a'), true) == kGood);
  CHECK(with(std::string(65, 'a'), true) == kInvalid);
  for (const auto* bad : {"", "A", "a-b", "a b", "\xC3\xA4"}) CHECK(with(bad, true) == kInvalid);
  CHECK(with("a", std::string(kMaxParameterBytes, 'x')) == kGood);
  CHECK(with("a", std::string(kMaxParameterBytes + 1, 'x')) == kLimit);
  CHECK(with("a", std::string("\xE2\x82\xAC")) == kGood);
  for (const auto& bad : kBadTexts) CHECK(with("a", bad) == kInvalid);
  CHECK(with("a", INT64_MIN) == kGood);
  CHECK(with("a", INT64_MAX) == kGood);
  // Each alone is in range, together they are more than a command may carry.
  CHECK(intent([](Intent& v) {
          for (int i = 0; i < 16; ++i)
            v.parameters["p" + std::to_string(i)] = std::string(kMaxParameterBytes, 'x');
        }) == kLimit);
}

TEST_CASE("commands at their bounds") {
  CHECK(execute([](Command& v) { v.id = {}; }) == kInvalid);
  CHECK(execute([](Command& v) { v.enrollment = {}; }) == kInvalid);
  CHECK(execute([](Command& v) { v.session = {}; }) == kInvalid);
  CHECK(execute([](Command& v) { v.seq = 0; }) == kInvalid);
  CHECK(execute([](Command& v) { v.seq = UINT64_MAX; }) == kGood);
  for (const auto time : {&Command::issued_ms, &Command::not_before_ms, &Command::expires_ms}) {
    CHECK(execute([&](Command& v) { v.*time = 0; }) == kGood);
    CHECK(execute([&](Command& v) { v.*time = -1; }) == kInvalid);
    CHECK(execute([&](Command& v) { v.*time = kLastMs; }) == kGood);
    CHECK(execute([&](Command& v) { v.*time = kLastMs + 1; }) == kInvalid);
  }
  CHECK(execute([](Command& v) { v.batch_root = {}; }) == kInvalid);
  CHECK(execute([](Command& v) { v.batch_size = 0; }) == kInvalid);
  CHECK(execute([](Command& v) { v.batch_size = kMaxBatchSize; }) == kGood);
  CHECK(execute([](Command& v) { v.batch_size = kMaxBatchSize + 1; }) == kInvalid);
  CHECK(execute([](Command& v) { v.batch_index = v.batch_size - 1; }) == kGood);
  CHECK(execute([](Command& v) { v.batch_index = v.batch_size; }) == kInvalid);
  CHECK(execute([](Command& v) { v.path.resize(20); }) == kGood);
  CHECK(execute([](Command& v) { v.path.resize(21); }) == kLimit);
  CHECK(execute([](Command& v) { v.approvals.clear(); }) == kGood);
  CHECK(execute([](Command& v) { v.approvals.assign(kMaxApprovals, "a"); }) == kGood);
  CHECK(execute([](Command& v) { v.approvals.assign(kMaxApprovals + 1, "a"); }) == kLimit);
  CHECK(execute([](Command& v) { v.approvals[0] = ""; }) == kInvalid);
  CHECK(execute([](Command& v) { v.approvals[0].assign(kMaxApprovalBytes, 'a'); }) == kGood);
  CHECK(execute([](Command& v) { v.approvals[0].assign(kMaxApprovalBytes + 1, 'a'); }) == kLimit);
  CHECK(execute([](Command& v) { v.root_version = 0; }) == kInvalid);
  CHECK(execute([](Command& v) { v.policy = {}; }) == kGood);
  CHECK(execute([](Command& v) { v.audit_seq = 0; }) == kInvalid);
  CHECK(execute([](Command& v) { v.audit_hash = {}; }) == kInvalid);
  CHECK(execute([](Command& v) {
          v.audit_seq = 0;
          v.audit_hash = {};
        }) == kGood);
}

TEST_CASE("a ninth approval, a path too long and an index outside are refused when decoded too") {
  v1::Command good;
  REQUIRE(good.ParseFromString(encode_command(test::execute()).value()));
  const auto refused = [&good](auto change) {
    auto message = good;
    change(message);
    const auto decoded = decode_command(message.SerializeAsString());
    return !decoded && decoded.error().code() == Errc::kCorrupt;
  };
  CHECK_FALSE(refused([](auto& m) {
    while (m.approvals_size() < 8) m.add_approvals("a");
  }));
  CHECK(refused([](auto& m) {
    while (m.approvals_size() < 9) m.add_approvals("a");
  }));
  CHECK(refused([](auto& m) {
    while (m.path_size() < 21) m.add_path(std::string(32, 'p'));
  }));
  CHECK(refused([](auto& m) { m.set_batch_index(m.batch_size()); }));
  CHECK(refused([](auto& m) { m.set_batch_size(kMaxBatchSize + 1); }));
  CHECK(refused([](auto& m) { m.set_expires_ms(-1); }));
  CHECK(refused([](auto& m) { m.set_expires_ms(INT64_MIN); }));
  CHECK(refused([](auto& m) { m.set_seq(0); }));
}

TEST_CASE("a dry run carries nothing that was approved, an execution what was shown") {
  CHECK(dry_run([](Command& v) { v.batch_root = test::filled<32>(1); }) == kInvalid);
  CHECK(dry_run([](Command& v) { v.batch_size = 1; }) == kInvalid);
  CHECK(dry_run([](Command& v) { v.batch_index = 1; }) == kInvalid);
  CHECK(dry_run([](Command& v) { v.path.resize(1); }) == kInvalid);
  CHECK(dry_run([](Command& v) { v.approvals = {"a"}; }) == kInvalid);
  // Each mode with the intent of the other.
  CHECK(dry_run([](Command& v) { v.intent = test::execute().intent; }) == kInvalid);
  CHECK(execute([](Command& v) { v.intent = test::dry_run().intent; }) == kInvalid);
  CHECK(execute([](Command& v) { v.mode = CommandMode::kDryRun; }) == kInvalid);
  CHECK(dry_run([](Command& v) { v.mode = CommandMode::kExecute; }) == kInvalid);
}

TEST_CASE("the largest command fits its envelope, and the largest result its batch") {
  auto intent_value = test::intent();
  intent_value.parameters.clear();
  for (int i = 0; i < 15; ++i)
    intent_value.parameters["p" + std::to_string(i)] = std::string(kMaxParameterBytes, 'x');
  auto command = test::execute();
  command.intent = encode_intent(intent_value).value();
  CHECK(command.intent.size() > kMaxIntentBytes - kMaxParameterBytes);
  command.path.resize(20);
  command.approvals.assign(kMaxApprovals, std::string(kMaxApprovalBytes, 'a'));
  signing::SignedEnvelope envelope{kCommandType, encode_command(command).value(), {}};
  for (int i = 0; i < 8; ++i) add_signature(envelope, signing::SigningKeyPair::generate());
  CHECK(encode_envelope(envelope).size() <= kMaxCommandBytes);

  auto full = test::result();
  full.output.assign(kMaxOutputBytes, 'x');
  full.message.assign(kMaxReasonBytes, 'x');
  full.target.assign(kMaxTargetBytes, 'x');
  full.diff.assign(kMaxChanges,
                   {std::string(512, 'x'), std::string(256, 'x'), std::string(256, 'x')});
  full.steps.assign(kMaxSteps, {std::string(kMaxStepNameBytes, 'x'),
                                std::string(kMaxReasonBytes, 'x'), UINT32_MAX});
  full.facts.clear();
  for (std::size_t i = 0; i < kMaxFacts; ++i) {
    full.facts.push_back({std::string(kMaxFactNameBytes - 2, 'f') + std::to_string(10 + i),
                          std::string(kMaxReasonBytes, 'x')});
  }
  const auto bytes = encode_result(full);
  REQUIRE(bytes);
  CHECK(decode_result(*bytes).value() == full);
  envelope = {kResultType, *bytes, {}};
  add_signature(envelope, signing::SigningKeyPair::generate());
  CHECK(encode_envelope(envelope).size() <= kMaxResultEnvelopeBytes);
}

TEST_CASE("approvals at their bounds") {
  CHECK(approval([](Approval& v) { v.plan = {}; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.tenant = {}; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.batch_root = {}; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.batch_size = 0; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.batch_size = kMaxBatchSize + 1; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.expires_ms = v.issued_ms + kMaxCommandLifetimeMs; }) == kGood);
  CHECK(approval([](Approval& v) { v.expires_ms = v.issued_ms + kMaxCommandLifetimeMs + 1; }) ==
        kInvalid);
  CHECK(approval([](Approval& v) { v.expires_ms = v.issued_ms; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.issued_ms = -1; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.expires_ms = INT64_MAX; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.issued_ms = INT64_MIN; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.reason = ""; }) == kInvalid);
  CHECK(approval([](Approval& v) {
          v.reason = "";
          v.decision = ApprovalDecision::kApprove;
        }) == kGood);
  CHECK(approval([](Approval& v) { v.reason.assign(kMaxReasonBytes, 'x'); }) == kGood);
  CHECK(approval([](Approval& v) { v.reason.assign(kMaxReasonBytes + 1, 'x'); }) == kLimit);
  for (const auto& bad : kBadTexts)
    CHECK(approval([&](Approval& v) { v.reason = bad; }) == kInvalid);
  CHECK(approval([](Approval& v) { v.decision = static_cast<ApprovalDecision>(0); }) == kInvalid);
}

TEST_CASE("results at their bounds") {
  CHECK(result([](CommandResult& v) { v.command_sha256 = {}; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.tenant = {}; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.agent = {}; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.session = {}; }) == kGood);
  CHECK(result([](CommandResult& v) { v.message.assign(kMaxReasonBytes, 'x'); }) == kGood);
  CHECK(result([](CommandResult& v) { v.message.assign(kMaxReasonBytes + 1, 'x'); }) == kLimit);
  CHECK(result([](CommandResult& v) { v.output.assign(kMaxOutputBytes, '\xFF'); }) == kGood);
  CHECK(result([](CommandResult& v) { v.output.assign(kMaxOutputBytes + 1, 'x'); }) == kLimit);
  CHECK(result([](CommandResult& v) { v.target.assign(kMaxTargetBytes, 'x'); }) == kGood);
  CHECK(result([](CommandResult& v) { v.target.assign(kMaxTargetBytes + 1, 'x'); }) == kLimit);
  for (const auto time :
       {&CommandResult::received_ms, &CommandResult::started_ms, &CommandResult::finished_ms}) {
    CHECK(result([&](CommandResult& v) { v.*time = 0; }) == kGood);
    CHECK(result([&](CommandResult& v) { v.*time = -1; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.*time = kLastMs + 1; }) == kInvalid);
  }
  for (const auto& bad : kBadTexts) {
    CHECK(result([&](CommandResult& v) { v.message = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.target = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.diff[0].what = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.diff[0].before = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.diff[0].after = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.steps[0].name = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.steps[0].detail = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.facts[0].value = bad; }) == kInvalid);
    CHECK(result([&](CommandResult& v) { v.message = text::escape_unprintable(bad, 100); }) ==
          kGood);
  }
}

TEST_CASE("lists of results at their bounds") {
  CHECK(result([](CommandResult& v) { v.diff.resize(kMaxChanges, {"a", "", ""}); }) == kGood);
  CHECK(result([](CommandResult& v) { v.diff.resize(kMaxChanges + 1, {"a", "", ""}); }) == kLimit);
  CHECK(result([](CommandResult& v) { v.diff[0].what = ""; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.diff[0].after.assign(kMaxChangeBytes, 'x'); }) == kGood);
  CHECK(result([](CommandResult& v) { v.diff[0].after.assign(kMaxChangeBytes + 1, 'x'); }) ==
        kLimit);
  const Change large{std::string(kMaxChangeBytes, 'x'), "", ""};
  CHECK(result([&](CommandResult& v) { v.diff.assign(kMaxDiffBytes / kMaxChangeBytes, large); }) ==
        kGood);
  CHECK(result([&](CommandResult& v) {
          v.diff.assign(kMaxDiffBytes / kMaxChangeBytes, large);
          v.diff.push_back({"x", "", ""});
        }) == kLimit);
  CHECK(result([](CommandResult& v) { v.steps.resize(kMaxSteps, {"a", "", 0}); }) == kGood);
  CHECK(result([](CommandResult& v) { v.steps.resize(kMaxSteps + 1, {"a", "", 0}); }) == kLimit);
  CHECK(result([](CommandResult& v) { v.steps[0].name = ""; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.steps[0].name.assign(kMaxStepNameBytes + 1, 'x'); }) ==
        kLimit);
  CHECK(result([](CommandResult& v) { v.steps[0].detail.assign(kMaxReasonBytes + 1, 'x'); }) ==
        kLimit);
  const auto facts = [](std::size_t count) {
    return result([count](CommandResult& v) {
      v.facts.clear();
      for (std::size_t i = 0; i < count; ++i) v.facts.push_back({std::to_string(100 + i), ""});
    });
  };
  CHECK(facts(kMaxFacts) == kGood);
  CHECK(facts(kMaxFacts + 1) == kLimit);
  CHECK(result([](CommandResult& v) { std::swap(v.facts[0], v.facts[1]); }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.facts[1] = v.facts[0]; }) == kInvalid);
  CHECK(result([](CommandResult& v) { v.facts[0].name = ""; }) == kInvalid);
  CHECK(result([](CommandResult& v) {
          v.facts[0].name = std::string(kMaxFactNameBytes + 1, 'a');
        }) == kLimit);
}

TEST_CASE("a reason stands where one is needed, and a command that cannot be read was refused") {
  for (const auto outcome : {ResultOutcome::kRefused, ResultOutcome::kFailed}) {
    const auto with = [outcome](const std::string& reason) {
      return result([&](CommandResult& v) {
        v.outcome = outcome;
        v.reason = reason;
      });
    };
    CHECK(with(std::string(64, 'a')) == kGood);
    CHECK(with(std::string(65, 'a')) == kInvalid);
    for (const auto* bad : {"", "Stale", "a b", "a1", "a-b"}) CHECK(with(bad) == kInvalid);
  }
  for (const auto outcome : {ResultOutcome::kDryRun, ResultOutcome::kSucceeded,
                             ResultOutcome::kRolledBack, ResultOutcome::kInterrupted}) {
    CHECK(result([&](CommandResult& v) { v.outcome = outcome; }) == kInvalid);
    CHECK(result([&](CommandResult& v) {
            v.outcome = outcome;
            v.reason = "";
          }) == kGood);
  }
  CHECK(result([](CommandResult& v) { v.outcome = static_cast<ResultOutcome>(7); }) == kInvalid);
  const auto unread = [](auto change) {
    return result([&](CommandResult& v) {
      v.command_id = {};
      v.seq = 0;
      v.outcome = ResultOutcome::kRefused;
      v.reason = "malformed";
      change(v);
    });
  };
  CHECK(unread([](CommandResult&) {}) == kGood);
  CHECK(unread([](CommandResult& v) { v.seq = 1; }) == kInvalid);
  CHECK(unread([](CommandResult& v) { v.command_id = test::filled<16>(1); }) == kInvalid);
  CHECK(unread([](CommandResult& v) { v.outcome = ResultOutcome::kFailed; }) == kInvalid);
}

TEST_CASE("statements and meta at their bounds") {
  const auto time = trial(test::time_statement(), encode_time, decode_time);
  CHECK(time([](TimeStatement& v) { v.agent = {}; }) == kInvalid);
  CHECK(time([](TimeStatement& v) { v.challenge = {}; }) == kInvalid);
  CHECK(time([](TimeStatement& v) { v.unix_ms = 0; }) == kInvalid);
  CHECK(time([](TimeStatement& v) { v.unix_ms = -1; }) == kInvalid);
  CHECK(time([](TimeStatement& v) { v.unix_ms = kLastMs; }) == kGood);
  CHECK(time([](TimeStatement& v) { v.unix_ms = kLastMs + 1; }) == kInvalid);
  const auto head = trial(test::audit_head(), encode_audit_head, decode_audit_head);
  CHECK(head([](AuditHead& v) { v.seq = 0; }) == kInvalid);
  CHECK(head([](AuditHead& v) { v.seq = UINT64_MAX; }) == kGood);
  CHECK(head([](AuditHead& v) { v.hash = {}; }) == kInvalid);
  CHECK(head([](AuditHead& v) { v.unix_ms = -1; }) == kInvalid);
  const auto meta = trial(test::meta(), encode_meta, decode_meta);
  CHECK(meta([](Meta& v) { v = {}; }) == kGood);
  CHECK(meta([](Meta& v) { v.roots.resize(kMaxMetaRoots, "r"); }) == kGood);
  CHECK(meta([](Meta& v) { v.roots.resize(kMaxMetaRoots + 1, "r"); }) == kLimit);
  CHECK(meta([](Meta& v) { v.roots[0] = ""; }) == kInvalid);
  CHECK(meta([](Meta& v) { v.time.assign(kMaxStatementBytes, 't'); }) == kGood);
  CHECK(meta([](Meta& v) { v.time.assign(kMaxStatementBytes + 1, 't'); }) == kLimit);
  CHECK(meta([](Meta& v) { v.audit_head.assign(kMaxStatementBytes + 1, 't'); }) == kLimit);
  CHECK(meta([](Meta& v) { v.roots[0].assign(kMaxMetaBytes, 'r'); }) == kLimit);
}

TEST_CASE("what is too long, or claims too much, is refused before it is read") {
  CHECK(decode_intent(std::string(kMaxIntentBytes + 1, '\n')).error().code() == Errc::kCorrupt);
  CHECK(decode_command(std::string(kMaxCommandBytes, '\n')).error().code() == Errc::kCorrupt);
  CHECK(decode_approval(std::string(kMaxApprovalBytes + 1, '\n')).error().code() == Errc::kCorrupt);
  CHECK(decode_result(std::string(kMaxResultBytes + 1, '\n')).error().code() == Errc::kCorrupt);
  // Two bytes for each change of a diff: structure_bytes counts them.
  std::string changes;
  while (changes.size() < kMaxResultBytes - 1) changes.append("\x52\x00", 2);
  const auto decoded = decode_result(changes);
  CHECK(decoded.error().code() == Errc::kCorrupt);
  CHECK(decoded.error().message().find("claims more") != std::string::npos);
}
