#include "protocol/wire/detail/executor_report.h"

#include "protocol/wire/detail/command_fields.h"

namespace observeai::wire::detail {
namespace {

constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kRoomForEscapes = 32;  // The last character escaped, and "..."

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_state(std::string_view text) {
  return bool(check_text(text, kMaxExecutorStateBytes, "state"));
}

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "hello: executor: " + std::string(why));
}

}  // namespace

void to_proto(const ExecutorReport& report, v1::Hello::Executor& out) {
  out.set_session(verbatim(report.session));
  out.set_time_challenge(optional_bytes(report.time_challenge));
  out.set_command_seq(report.command_seq);
  out.set_root_version(report.root_version);
  if (is_hash(report.policy_hash)) out.set_policy_hash(report.policy_hash);
  out.set_state(
      is_state(report.state)
          ? report.state
          : text::escape_unprintable(report.state, kMaxExecutorStateBytes - kRoomForEscapes));
  if (report.audit_seq == 0 || is_zero(report.audit_hash)) return;
  out.set_audit_seq(report.audit_seq);
  out.set_audit_hash(verbatim(report.audit_hash));
}

Result<ExecutorReport> from_proto(const v1::Hello::Executor& in) {
  ExecutorReport out;
  FieldReader reader;
  if (in.session().empty()) return corrupt("no session");
  reader.bytes(in.session(), out.session);
  reader.bytes(in.time_challenge(), out.time_challenge);
  reader.bytes(in.audit_hash(), out.audit_hash);
  if (!reader.why().empty()) return corrupt(reader.why());
  if (is_zero(out.time_challenge) != in.time_challenge().empty()) {
    return corrupt("a challenge is all zeros");
  }
  out.audit_seq = in.audit_seq();
  if ((out.audit_seq == 0) != in.audit_hash().empty() ||
      (out.audit_seq != 0 && is_zero(out.audit_hash))) {
    return corrupt("half an audit head");
  }
  out.command_seq = in.command_seq();
  out.root_version = in.root_version();
  out.policy_hash = in.policy_hash();
  if (!out.policy_hash.empty() && !is_hash(out.policy_hash)) return corrupt("a malformed hash");
  out.state = in.state();
  if (!is_state(out.state)) return corrupt("a malformed state");
  return out;
}

}  // namespace observeai::wire::detail
