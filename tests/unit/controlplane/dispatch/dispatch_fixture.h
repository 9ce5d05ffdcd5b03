// A control plane's dispatcher over a real store, and hosts that answer as executors do: they open what is
// sealed for them, keep a ledger, and sign results.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/approval/state_machine.h"
#include "controlplane/dispatch/desk.h"
#include "controlplane/dispatch/dispatcher.h"
#include "controlplane/store/store.h"
#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/merkle.h"
#include "protocol/topics/topics.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/support/temp_dir.h"

namespace observeai::controlplane::dispatch_test {

using model::PlanState;
using model::TargetState;

inline TenantId tenant() {
  return TenantId::parse("default").value();
}

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message());
  return std::move(*result);
}
inline void must(Result<void> result) {
  if (!result) FAIL(result.error().message());
}

// Signs whatever it is given, unless told otherwise: what it refuses is tested with it.
class FakeSigner final : public CommandSigner {
 public:
  Result<std::vector<Result<std::string>>> sign_commands(
      std::span<const std::string> commands) override {
    if (is_away) return Error(Errc::kUnavailable, "no signer");
    std::vector<Result<std::string>> out;
    for (const auto& bytes : commands) {
      ++signed_commands;
      if (refuses) {
        out.emplace_back(Error(Errc::kDenied, "out of delegation"));
      } else {
        out.emplace_back(envelope(wire::kCommandType, bytes));
      }
    }
    return out;
  }
  Result<std::string> sign_time(const wire::TimeStatement& time) override {
    if (states_no_time) return Error(Errc::kDenied, "clock: it jumped");
    return envelope(wire::kTimeType, *wire::encode_time(time));
  }
  Result<std::string> sign_audit_head(const wire::AuditHead& head) override {
    return envelope(wire::kAuditHeadType, *wire::encode_audit_head(head));
  }
  Result<void> take_roots(std::span<const std::string>) override { return {}; }
  Result<void> revoke_agent(const AgentId&) override { return {}; }

  bool is_away = false;
  bool refuses = false;
  bool states_no_time = false;
  int signed_commands = 0;

 private:
  std::string envelope(const char* type, const std::string& payload) const {
    signing::SignedEnvelope out{type, payload, {}};
    signing::add_signature(out, key_);
    return wire::encode_envelope(out);
  }
  signing::SigningKeyPair key_ = signing::SigningKeyPair::generate();
};

class FakeRoots final : public dispatch::RootSource {
 public:
  signing::RootMetadata newest() override { return root; }
  std::vector<std::string> envelopes_after(std::uint64_t version) override {
    std::vector<std::string> out;
    for (auto next = version + 1; next <= root.version; ++next)
      out.push_back("root " + std::to_string(next));
    return out;
  }
  signing::RootMetadata root;
};

class FakeHeads final : public dispatch::HeadSource {
 public:
  Head newest() override { return head; }
  Head head;
};

class FakeDownLink final : public dispatch::DownLink {
 public:
  void send(mqtt::Message message) override {
    if (!is_broken) sent.push_back(std::move(message));
  }
  bool is_broken = false;
  std::vector<mqtt::Message> sent;
};

// One host with its executor.
struct FakeHost {
  AgentId id;
  signing::KeyAgreementPair sealing = signing::generate_key_agreement_pair();
  signing::SigningKeyPair result_key = signing::SigningKeyPair::generate();
  std::uint8_t session = 1;
  std::uint8_t policy = 0xaa;  // Its digest, each byte
  std::string executor_state = "ready";
  std::int64_t started_ms = 1'000;  // Of its container
  std::string refusal;              // Of commands to execute, instead of doing them
  std::string dry_refusal;
  wire::ResultOutcome outcome = wire::ResultOutcome::kSucceeded;
  std::uint32_t downtime_ms = 0;
  std::string approvals_needed;          // As its policy says, for its dry run
  std::string target = "container/web";  // As it calls what it is asked about
  std::vector<wire::Change> diff = {{"container/web: started", "12:00", "now"}};
  bool is_deaf = false;
  std::uint64_t batch = 0;
  std::vector<wire::Command> executed;          // What it really did
  std::vector<wire::Command> received;          // Everything, repeats included
  std::map<wire::Bytes16, std::string> ledger;  // Results by command
};

struct DispatchFixture {
  test::TempDir dir;
  ManualClock clock;
  FakeSigner signer;
  FakeRoots roots;
  FakeHeads heads;
  FakeDownLink down;
  signing::KeyAgreementPair sealing = signing::generate_key_agreement_pair();
  signing::SigningKeyPair ann = signing::SigningKeyPair::generate();
  signing::SigningKeyPair bob = signing::SigningKeyPair::generate();
  signing::SigningKeyPair cyd = signing::SigningKeyPair::generate();
  std::unique_ptr<Store> store;
  std::unique_ptr<dispatch::Dispatcher> dispatcher;
  std::unique_ptr<dispatch::Desk> desk;
  std::vector<FakeHost> hosts;
  std::size_t delivered = 0;

  explicit DispatchFixture(int host_count = 1) {
    roots.root.version = 1;
    roots.root.expires_ms = clock.unix_ms() + 30LL * 86'400'000;
    roots.root.approvers = {
        {ann.public_key(), "ann"}, {bob.public_key(), "bob"}, {cyd.public_key(), "cyd"}};
    restart();
    for (int i = 0; i < host_count; ++i) add_host("web-" + std::to_string(i + 1));
  }

  // As after kill -9: nothing but the store stays.
  void restart() {
    desk.reset();
    dispatcher.reset();
    store.reset();
    StoreOptions options;
    options.directory = dir.path();
    store = must(Store::open(options, clock));
    dispatcher = std::make_unique<dispatch::Dispatcher>(world());
    desk = std::make_unique<dispatch::Desk>(world(), [] {});
  }

  dispatch::World world() {
    return {clock,
            store->plans(),
            store->commands(),
            store->agents(),
            store->reader(),
            store->alerts(),
            store->audit(),
            signer,
            roots,
            heads,
            down,
            sealing};
  }

  void add_host(const std::string& name) {
    auto& host = hosts.emplace_back();
    host.id = AgentId::parse(name).value();
    model::TokenRecord token;
    token.id = "token-" + name;
    token.tenant = tenant();
    token.expires_ms = clock.unix_ms() + 1'000;
    must(store->tokens().insert(token));
    model::AgentRecord agent;
    agent.id = host.id;
    agent.tenant = tenant();
    agent.hostname = name;
    agent.spki_sha256 = "spki-" + name;
    agent.token_id = token.id;
    agent.sealing_public_key = host.sealing.public_key;
    agent.result_public_key = host.result_key.public_key().bytes;
    must(store->tokens().consume(token.id, agent, clock.unix_ms()));
    must(store->agents().confirm(host.id));
    hello(host);
    report(host);
  }

  void hello(FakeHost& host, wire::Bytes16 challenge = {}, std::uint64_t audit_seq = 0,
             wire::Digest audit_hash = {}) {
    wire::Hello out;
    out.agent = host.id;
    out.epoch.bytes.fill(1);
    for (auto& seq : out.next_seq) seq = 1;
    for (auto& seq : out.oldest_seq) seq = 1;
    out.next_seq[0] = host.batch + 1;
    out.oldest_seq[0] = host.batch + 1;
    wire::ExecutorReport executor;
    executor.session.fill(host.session);
    executor.time_challenge = challenge;
    executor.root_version = roots.root.version;
    for (const auto& command : host.received)
      executor.command_seq = std::max(executor.command_seq, command.seq);
    wire::Digest policy;
    policy.fill(host.policy);
    executor.policy_hash = text::to_hex(policy);
    executor.state = host.executor_state;
    executor.audit_seq = audit_seq;
    executor.audit_hash = audit_hash;
    out.executor = executor;
    must(store->agents().seen(host.id, clock.unix_ms(), out));
    dispatcher->hello(host.id);
  }

  void seen() {
    for (auto& host : hosts) {
      if (!host.is_deaf) must(store->agents().seen(host.id, clock.unix_ms(), std::nullopt));
    }
  }

  void commit(FakeHost& host, const wire::ControlBatch& control) {
    wire::Batch batch;
    batch.header.agent = host.id;
    batch.header.epoch.bytes.fill(1);
    batch.header.lane = wire::Lane::kControl;
    batch.header.seq = ++host.batch;
    batch.header.n = 1;
    batch.body = wire::encode_control(control).value();
    CHECK(must(store->writer().commit(batch)) == model::CommitOutcome::kStored);
  }

  // Its inventory: one container, running.
  void report(FakeHost& host, const std::string& state = "running") {
    wire::ControlBatch control;
    auto& update = control.inventory.emplace_back();
    update.ts_ms = clock.unix_ms();
    update.containers.full = true;
    wire::Container web;
    web.id = std::string(64, 'c');
    web.name = "web";
    web.state = state;
    web.started_ms = host.started_ms;
    update.containers.upserts.push_back(web);
    commit(host, control);
  }

  std::string sign_result(const FakeHost& host, const wire::CommandResult& result) const {
    signing::SignedEnvelope envelope{wire::kResultType, *wire::encode_result(result), {}};
    signing::add_signature(envelope, host.result_key);
    return wire::encode_envelope(envelope);
  }

  wire::CommandResult result_of(const FakeHost& host, const wire::Command& command,
                                const std::string& envelope) const {
    wire::CommandResult result;
    result.command_id = command.id;
    result.command_sha256 = wire::digest_of(envelope);
    result.tenant = tenant();
    result.agent = host.id;
    result.session = command.session;
    result.seq = command.seq;
    result.target = host.target;
    result.received_ms = result.started_ms = result.finished_ms = clock.unix_ms();
    result.policy.fill(host.policy);
    if (command.mode == wire::CommandMode::kDryRun) {
      result.outcome = wire::ResultOutcome::kDryRun;
      result.state_before.fill(7);
      result.diff = host.diff;
      result.downtime_ms = host.downtime_ms;
      result.facts = {{"replicas", "2"}};
      if (!host.approvals_needed.empty())
        result.facts.insert(result.facts.begin(), {"approvals_needed", host.approvals_needed});
      if (!host.dry_refusal.empty()) {
        result.outcome = wire::ResultOutcome::kRefused;
        result.reason = host.dry_refusal;
        result.state_before = {};
        result.diff.clear();
      }
    } else if (!host.refusal.empty()) {
      result.outcome = wire::ResultOutcome::kRefused;
      result.reason = host.refusal;
    } else {
      result.outcome = host.outcome;
      result.state_before.fill(7);
      result.state_after.fill(8);
      if (host.outcome == wire::ResultOutcome::kFailed) result.reason = "broke";
    }
    return result;
  }

  // The host takes one sealed command: a known one is answered from the ledger, as the executor does.
  void take(FakeHost& host, const mqtt::Message& message) {
    const auto keys = must(signing::agent_session_keys(host.sealing, sealing.public_key));
    const auto envelope = must(wire::open_command(message.payload, host.id, keys.down));
    const auto opened = must(wire::decode_envelope(envelope));
    const auto command = must(wire::decode_command(opened.payload));
    host.received.push_back(command);
    auto& stored = host.ledger[command.id];
    if (stored.empty()) {
      auto result = result_of(host, command, envelope);
      if (host.refusal.empty() && command.session[0] != host.session) {
        result.outcome = wire::ResultOutcome::kRefused;
        result.reason = "wrong_session";
        result.diff.clear();
        result.state_before = result.state_after = {};
      }
      stored = sign_result(host, result);
      if (command.mode == wire::CommandMode::kExecute &&
          result.outcome != wire::ResultOutcome::kRefused) {
        host.executed.push_back(command);
        host.started_ms = clock.unix_ms();
        report(host);
      }
    }
    wire::ControlBatch control;
    control.results.push_back(stored);
    commit(host, control);
  }

  // What the broker has goes to the hosts.
  void deliver() {
    for (; delivered < down.sent.size(); ++delivered) {
      const auto message = down.sent[delivered];
      const auto parsed = must(topics::parse(message.topic));
      if (parsed.channel != topics::Channel::kCommand) continue;
      for (auto& host : hosts) {
        if (host.id == parsed.address.agent && !host.is_deaf) take(host, message);
      }
    }
  }

  void step() { dispatcher->step(); }
  // Both sides, until nothing more happens by itself.
  void settle() {
    for (int i = 0; i < 12; ++i) {
      step();
      deliver();
    }
    step();
  }
  // Time goes by, and hosts are heard.
  void pass(std::chrono::milliseconds time) {
    clock.advance(time);
    seen();
    settle();
  }

  model::NewPlan restart_web() const {
    model::NewPlan plan;
    plan.action = "docker.restart";
    plan.parameters = {{"container", "web"}};
    plan.reason = "it hangs";
    plan.accept_blast_radius = hosts.size() > 1;
    for (const auto& host : hosts) plan.agents.push_back(host.id);
    return plan;
  }
  std::string create(const model::NewPlan& wanted) {
    return must(desk->create(wanted, tenant(), "carol", true)).plan.id.value();
  }
  model::PlanView show(const std::string& id) { return must(desk->show(tenant(), id)); }
  PlanState state(const std::string& id) { return show(id).plan.state; }
  TargetState target_state(const std::string& id, std::size_t i = 0) {
    return show(id).targets.at(i).record.state;
  }

  std::string approval(const std::string& id, const signing::SigningKeyPair& key,
                       wire::ApprovalDecision decision = wire::ApprovalDecision::kApprove) {
    const auto plan = show(id).plan;
    wire::Approval approval;
    approval.plan = plan.id;
    approval.tenant = plan.tenant;
    approval.batch_root = plan.batch_root;
    approval.batch_size = plan.batch_size;
    approval.decision = decision;
    if (decision == wire::ApprovalDecision::kReject) approval.reason = "no";
    approval.issued_ms = clock.unix_ms();
    approval.expires_ms = plan.expires_ms;
    signing::SignedEnvelope envelope{
        wire::kApprovalType, must(wire::encode_approval(approval)), {}};
    signing::add_signature(envelope, key);
    return wire::encode_envelope(envelope);
  }
  void approve(const std::string& id) {
    must(desk->approve(tenant(), id, "ann", approval(id, ann)));
  }
  std::size_t executions() const {
    std::size_t count = 0;
    for (const auto& host : hosts) count += host.executed.size();
    return count;
  }
  // Until the container counts as steady.
  void watch() { pass(std::chrono::seconds(31)); }
};

}  // namespace observeai::controlplane::dispatch_test
