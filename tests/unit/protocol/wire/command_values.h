// One value of each kind of command_codec.h in which every field differs from its default.
#pragma once

#include "protocol/wire/command_codec.h"

namespace observeai::test {

template <std::size_t N>
std::array<std::uint8_t, N> filled(std::uint8_t fill) {
  std::array<std::uint8_t, N> out{};
  out.fill(fill);
  return out;
}

inline wire::Intent intent() {
  return {.plan = wire::PlanId::parse("plan-1").value(),
          .tenant = TenantId::parse("acme").value(),
          .agent = AgentId::parse("web-01").value(),
          .action = "docker.restart",
          .action_version = 3,
          .manifest = filled<32>(1),
          .parameters = {{"container", std::string("web")},
                         {"force", true},
                         {"quiet", false},
                         {"stop_timeout_s", std::int64_t{-5}}},
          .state = filled<32>(2),
          .diff = filled<32>(3),
          .tier = 1,
          .timeout_ms = 30'000,
          .output_limit = 1000,
          .roll_back = true,
          .requester = "ada",
          .incident = "inc-7"};
}

inline wire::Command execute() {
  return {.id = filled<16>(4),
          .intent = wire::encode_intent(intent()).value(),
          .mode = wire::CommandMode::kExecute,
          .enrollment = filled<16>(5),
          .session = filled<16>(6),
          .seq = 300,
          .issued_ms = 1'700'000'000'000,
          .not_before_ms = 1'700'000'001'000,
          .expires_ms = 1'700'000'600'000,
          .batch_root = filled<32>(7),
          .batch_size = 5,
          .batch_index = 4,
          .path = {filled<32>(8), {}},
          .approvals = {"one", "two"},
          .root_version = 2,
          .policy = filled<32>(9),
          .audit_seq = 77,
          .audit_hash = filled<32>(10)};
}

inline wire::Intent unseen() {
  auto out = intent();
  out.state = {};
  out.diff = {};
  return out;
}

inline wire::Command dry_run() {
  auto out = execute();
  out.intent = wire::encode_intent(unseen()).value();
  out.mode = wire::CommandMode::kDryRun;
  out.batch_root = {};
  out.batch_size = 0;
  out.batch_index = 0;
  out.path.clear();
  out.approvals.clear();
  return out;
}

inline wire::Approval approval() {
  return {.plan = wire::PlanId::parse("plan-1").value(),
          .tenant = TenantId::parse("acme").value(),
          .batch_root = filled<32>(7),
          .batch_size = 5,
          .decision = wire::ApprovalDecision::kReject,
          .issued_ms = 1'700'000'000'000,
          .expires_ms = 1'700'000'600'000,
          .reason = "not on a Friday \xE2\x82\xAC"};
}

inline wire::CommandResult result() {
  return {.command_id = filled<16>(4),
          .command_sha256 = filled<32>(11),
          .tenant = TenantId::parse("acme").value(),
          .agent = AgentId::parse("web-01").value(),
          .session = filled<16>(6),
          .seq = 300,
          .outcome = wire::ResultOutcome::kFailed,
          .reason = "post_condition",
          .message = "the container is not running",
          .diff = {{"container/web: state", "exited", "running"}, {"x", "", ""}},
          .steps = {{"restart", "204", 1500}, {"wait", "", 0}},
          .state_before = filled<32>(2),
          .state_after = filled<32>(12),
          .output = std::string("any \xFF\0\n bytes", 13),
          .output_truncated = true,
          .received_ms = 1'700'000'000'100,
          .started_ms = 1'700'000'000'200,
          .finished_ms = 1'700'000'002'000,
          .policy = filled<32>(9),
          .target = "container/web",
          .downtime_ms = 1200,
          .facts = {{"load1", "0.5"}, {"replicas", "2"}}};
}

inline wire::TimeStatement time_statement() {
  return {AgentId::parse("web-01").value(), filled<16>(13), 1'700'000'000'000};
}

inline wire::AuditHead audit_head() {
  return {77, filled<32>(10), 1'700'000'000'000};
}

inline wire::Meta meta() {
  return {{"root 2", "root 3"}, "time", "head"};
}

}  // namespace observeai::test
