#include "controlplane/store/plan_codec.h"

#include <algorithm>
#include <bit>

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

std::string_view view(const wire::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void pack_value(sql::Packer& out, const wire::ParameterValue& value) {
  out.add_number(value.index());
  if (const auto* text = std::get_if<std::string>(&value)) {
    out.add(*text);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    out.add_number(static_cast<std::uint64_t>(*number));
  } else {
    out.add_number(std::get<bool>(value) ? 1 : 0);
  }
}

Result<wire::ParameterValue> unpack_value(sql::Unpacker& in) {
  TRY(const auto kind, in.next_number());
  if (kind == 0) {
    TRY(auto text, in.next());
    return wire::ParameterValue(std::move(text));
  }
  TRY(const auto number, in.next_number());
  if (kind == 1) return wire::ParameterValue(static_cast<std::int64_t>(number));
  return wire::ParameterValue(number != 0);
}

Result<std::uint32_t> next_32(sql::Unpacker& in) {
  TRY(const auto number, in.next_number());
  return static_cast<std::uint32_t>(number);
}
Result<std::int64_t> next_ms(sql::Unpacker& in) {
  TRY(const auto number, in.next_number());
  return static_cast<std::int64_t>(number);
}

void pack_findings(sql::Packer& out, const std::vector<model::CheckFinding>& findings) {
  for (const auto& one : findings) {
    out.add(one.name);
    out.add_number(static_cast<std::uint64_t>(one.verdict));
    out.add(one.value);
    out.add(one.sentence);
  }
}

// All that is left.
Result<std::vector<model::CheckFinding>> unpack_findings(sql::Unpacker& in) {
  std::vector<model::CheckFinding> out;
  while (!in.done()) {
    auto& one = out.emplace_back();
    TRY(one.name, in.next());
    TRY(const auto verdict, in.next_number());
    one.verdict = static_cast<model::Verdict>(verdict);
    TRY(one.value, in.next());
    TRY(one.sentence, in.next());
  }
  return out;
}

enum Flags : std::uint64_t {
  kAcceptDowntime = 1,
  kAcceptBlastRadius = 2,
  kRollBack = 4,
  kAllAtOnce = 8,
};

std::uint64_t flags_of(const model::PlanRecord& plan) {
  std::uint64_t flags = 0;
  if (plan.accept_downtime) flags |= kAcceptDowntime;
  if (plan.accept_blast_radius) flags |= kAcceptBlastRadius;
  if (plan.roll_back) flags |= kRollBack;
  if (plan.all_at_once) flags |= kAllAtOnce;
  return flags;
}

// One number of a plan's progress: a flag, and from the shift on how many persons a host asks for.
constexpr std::uint64_t kIsStopping = 1;
constexpr unsigned kHostApprovalsShift = 8;

}  // namespace

Result<wire::Digest> digest_from(std::string_view blob) {
  wire::Digest out{};
  if (blob.size() != out.size()) return Error(Errc::kCorrupt, "a stored digest has a wrong length");
  std::copy(blob.begin(), blob.end(), out.begin());
  return out;
}

std::string pack_wish(const model::PlanRecord& plan) {
  sql::Packer out;
  out.add_number(plan.action_version);
  out.add(view(plan.manifest));
  out.add_number(plan.tier);
  out.add_number(flags_of(plan));
  out.add_number(plan.timeout_ms);
  out.add_number(static_cast<std::uint64_t>(plan.approval_lifetime_ms));
  out.add(plan.reason);
  out.add(plan.incident);
  out.add(plan.requester);
  out.add(plan.symptom.metric);
  out.add_number(std::bit_cast<std::uint64_t>(plan.symptom.low));
  out.add_number(std::bit_cast<std::uint64_t>(plan.symptom.high));
  for (const auto& [name, value] : plan.parameters) {
    out.add(name);
    pack_value(out, value);
  }
  return out.take();
}

Result<void> unpack_wish(std::string_view bytes, model::PlanRecord& plan) {
  sql::Unpacker in(bytes);
  TRY(plan.action_version, next_32(in));
  TRY(const auto manifest, in.next());
  TRY(plan.manifest, digest_from(manifest));
  TRY(plan.tier, next_32(in));
  TRY(const auto flags, in.next_number());
  plan.accept_downtime = (flags & kAcceptDowntime) != 0;
  plan.accept_blast_radius = (flags & kAcceptBlastRadius) != 0;
  plan.roll_back = (flags & kRollBack) != 0;
  plan.all_at_once = (flags & kAllAtOnce) != 0;
  TRY(plan.timeout_ms, next_32(in));
  TRY(plan.approval_lifetime_ms, next_ms(in));
  TRY(plan.reason, in.next());
  TRY(plan.incident, in.next());
  TRY(plan.requester, in.next());
  TRY(plan.symptom.metric, in.next());
  TRY(const auto low, in.next_number());
  TRY(const auto high, in.next_number());
  plan.symptom.low = std::bit_cast<double>(low);
  plan.symptom.high = std::bit_cast<double>(high);
  while (!in.done()) {
    TRY(auto name, in.next());
    TRY(auto value, unpack_value(in));
    plan.parameters.emplace(std::move(name), std::move(value));
  }
  return {};
}

std::string pack_progress(const model::PlanRecord& plan) {
  sql::Packer out;
  out.add_number(static_cast<std::uint64_t>(plan.expires_ms));
  out.add(view(plan.batch_root));
  out.add_number(plan.batch_size);
  out.add_number(plan.wave);
  out.add_number((plan.is_stopping ? kIsStopping : 0) |
                 (std::uint64_t{plan.host_approvals} << kHostApprovalsShift));
  out.add(plan.stop_reason);
  out.add(plan.detail);
  out.add(plan.decided_by);
  pack_findings(out, plan.checks);
  return out.take();
}

Result<void> unpack_progress(std::string_view bytes, model::PlanRecord& plan) {
  sql::Unpacker in(bytes);
  TRY(plan.expires_ms, next_ms(in));
  TRY(const auto root, in.next());
  TRY(plan.batch_root, digest_from(root));
  TRY(plan.batch_size, next_32(in));
  TRY(plan.wave, next_32(in));
  TRY(const auto word, in.next_number());
  plan.is_stopping = (word & kIsStopping) != 0;
  plan.host_approvals = static_cast<std::uint32_t>(word >> kHostApprovalsShift);
  TRY(plan.stop_reason, in.next());
  TRY(plan.detail, in.next());
  TRY(plan.decided_by, in.next());
  TRY(plan.checks, unpack_findings(in));
  return {};
}

std::string pack_signals(const model::PlanTargetRecord& target) {
  const auto& baseline = target.baseline;
  sql::Packer out;
  out.add(baseline.state);
  out.add(baseline.health);
  out.add_number(static_cast<std::uint64_t>(baseline.started_ms));
  out.add_number(baseline.restarts);
  out.add_number(baseline.main_pid);
  pack_findings(out, target.verification);
  return out.take();
}

Result<void> unpack_signals(std::string_view bytes, model::PlanTargetRecord& target) {
  sql::Unpacker in(bytes);
  auto& baseline = target.baseline;
  TRY(baseline.state, in.next());
  TRY(baseline.health, in.next());
  TRY(baseline.started_ms, next_ms(in));
  TRY(baseline.restarts, next_32(in));
  if (in.done()) return {};  // Stored before there was more
  TRY(baseline.main_pid, next_32(in));
  TRY(target.verification, unpack_findings(in));
  return {};
}

}  // namespace observeai::controlplane::store
