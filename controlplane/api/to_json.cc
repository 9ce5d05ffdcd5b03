#include "controlplane/api/to_json.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include <boost/json.hpp>

#include "controlplane/auth/roles.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

// Quotes, braces and escapes are ASCII, so that repairing the text repairs the strings in it.
std::string repaired(std::string text) {
  return text::is_valid_utf8(text) ? std::move(text) : text::replace_invalid_utf8(text);
}
std::string to_text(const json::object& body) {
  return repaired(json::serialize(body));
}

std::string_view name_of(wire::LogStream stream) {
  switch (stream) {
    case wire::LogStream::kStdout:
      return "stdout";
    case wire::LogStream::kStderr:
      return "stderr";
    case wire::LogStream::kOther:
      return "other";
  }
  return "other";
}

std::string_view name_of(wire::Severity severity) {
  switch (severity) {
    case wire::Severity::kDebug:
      return "debug";
    case wire::Severity::kInfo:
      return "info";
    case wire::Severity::kWarning:
      return "warning";
    case wire::Severity::kError:
      return "error";
    case wire::Severity::kCritical:
      return "critical";
  }
  return "info";
}

std::string_view name_of(wire::Lane lane) {
  switch (lane) {
    case wire::Lane::kControl:
      return "control";
    case wire::Lane::kMetrics:
      return "metrics";
    case wire::Lane::kLogs:
      return "logs";
    case wire::Lane::kTraces:
      return "traces";
  }
  return "control";
}

std::string_view name_of(model::AgentState state) {
  switch (state) {
    case model::AgentState::kPending:
      return "pending";
    case model::AgentState::kActive:
      return "active";
    case model::AgentState::kRevoked:
      return "revoked";
  }
  return "pending";
}

std::string_view name_of(model::LedgerVerdict verdict) {
  switch (verdict) {
    case model::LedgerVerdict::kPending:
      return "pending";
    case model::LedgerVerdict::kBalanced:
      return "balanced";
    case model::LedgerVerdict::kGap:
      return "gap";
  }
  return "pending";
}

json::array flags_json(std::uint32_t flags) {
  json::array out;
  if ((flags & wire::log_flags::kTruncated) != 0) out.emplace_back("truncated");
  if ((flags & wire::log_flags::kRedacted) != 0) out.emplace_back("redacted");
  if ((flags & wire::log_flags::kMalformed) != 0) out.emplace_back("malformed");
  if ((flags & wire::log_flags::kUnterminated) != 0) out.emplace_back("unterminated");
  return out;
}

json::object counts_json(const std::map<std::string, std::uint64_t>& counts) {
  json::object out;
  for (const auto& [reason, count] : counts) out[reason] = count;
  return out;
}

// Floor, also before 1970.
std::int64_t ns_to_ms(std::int64_t ns) {
  return ns / 1'000'000 - (ns % 1'000'000 < 0 ? 1 : 0);
}

}  // namespace

Reply json_reply(const json::object& body, int status) {
  Reply reply;
  reply.status = status;
  reply.body = to_text(body);
  reply.body += '\n';
  return reply;
}

Reply text_reply(std::string json) {
  Reply reply;
  reply.body = repaired(std::move(json));
  reply.body += '\n';
  return reply;
}

std::string event_frame(const std::string& event, const std::string& id, const json::object& data) {
  std::string frame = "event: " + event + "\n";
  if (!id.empty()) frame += "id: " + id + "\n";
  return frame + "data: " + to_text(data) + "\n\n";
}

std::string format_position(const model::LogPosition& position) {
  return std::to_string(position.partition_ms) + "." + std::to_string(position.batch) + "." +
         std::to_string(position.index);
}

std::optional<model::LogPosition> parse_position(std::string_view text) {
  const auto parts = text::split(text, '.');
  if (parts.size() != 3) return std::nullopt;
  const auto partition_ms = text::parse_i64(parts[0]);
  const auto batch = text::parse_u64(parts[1]);
  const auto index = text::parse_u64(parts[2]);
  if (!partition_ms || !batch || !index || *index > std::numeric_limits<std::uint32_t>::max())
    return std::nullopt;
  return model::LogPosition{*partition_ms, *batch, static_cast<std::uint32_t>(*index)};
}

json::value number_or_null(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

json::value integer_or_null(const std::optional<double>& value) {
  constexpr double kLargest = 9e18;
  if (!value || !std::isfinite(*value) || std::abs(*value) > kLargest) return nullptr;
  return static_cast<std::int64_t>(*value);
}

json::object map_json(const std::map<std::string, std::string>& map) {
  json::object out;
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

json::object labels_json(const wire::Labels& labels) {
  json::object out;
  for (const auto& label : labels) out[label.name] = label.value;
  return out;
}

json::object log_json(const model::LogRow& row, const std::string& hostname,
                      const std::string& name) {
  const auto& record = row.record;
  return {{"agent_id", row.agent.value()},
          {"hostname", hostname},
          {"target", record.target},
          {"name", name},
          {"stream", name_of(record.stream)},
          {"ts_ms", ns_to_ms(record.ts_ns)},
          {"ts_ns", std::to_string(record.ts_ns)},
          {"text", record.text},
          {"flags", flags_json(record.flags)},
          {"original_bytes", record.original_bytes}};
}

json::object event_json(const model::EventRow& row, const std::string& hostname,
                        const std::string& name) {
  const auto& event = row.event;
  return {{"id", std::to_string(row.id)},
          {"agent_id", row.agent.value()},
          {"hostname", hostname},
          {"ts_ms", event.ts_ms},
          {"kind", event.kind},
          {"target", event.target},
          {"name", name},
          {"severity", name_of(event.severity)},
          {"message", event.message},
          {"attributes", labels_json(event.attributes)}};
}

json::object series_json(const model::SeriesInfo& info, const std::string& hostname) {
  const auto& definition = info.definition;
  return {{"agent_id", info.agent.value()},
          {"hostname", hostname},
          {"target", definition.target},
          {"name", definition.name},
          {"labels", labels_json(definition.labels)},
          {"kind", definition.kind == wire::MetricKind::kCounter ? "counter" : "gauge"},
          {"last_value", number_or_null(info.last_value)},
          {"last_ts_ms", info.last_ts_ms}};
}

// FNV-1a of what tells open alerts apart: short enough to type, the same as long as the alert is open.
std::string alert_id(const model::Alert& alert) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const std::string& part : {alert.kind, alert.agent.value(), alert.object}) {
    for (const char c : part + '\0')
      hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  }
  std::array<char, 17> out{};
  std::snprintf(out.data(), out.size(), "%016llx", static_cast<unsigned long long>(hash));
  return out.data();
}

json::object alert_json(const model::Alert& alert, const std::string& hostname) {
  return {
      {"id", alert_id(alert)},      {"kind", alert.kind},       {"agent_id", alert.agent.value()},
      {"hostname", hostname},       {"object", alert.object},   {"message", alert.message},
      {"first_ms", alert.first_ms}, {"last_ms", alert.last_ms}, {"count", alert.count}};
}

json::object ledger_json(const model::LedgerRow& row, const std::string& hostname,
                         const std::string& name) {
  const auto& entry = row.entry;
  return {{"agent_id", row.agent.value()},
          {"hostname", hostname},
          {"source", entry.source},
          {"name", name},
          {"lane", name_of(entry.lane)},
          {"as_of_seq", entry.as_of_seq},
          {"records_read", entry.records_read},
          {"bytes_read", entry.bytes_read},
          {"records_spooled", entry.records_spooled},
          {"records_stored", row.records_stored},
          {"records_expired", row.records_expired},
          {"records_lost", counts_json(row.records_lost)},
          {"bytes_lost", counts_json(row.bytes_lost)},
          {"records_dropped", counts_json(entry.records_dropped)},
          {"bytes_dropped", counts_json(entry.bytes_dropped)},
          {"verdict", name_of(row.verdict)}};
}

json::object ledger_totals_json(const std::vector<model::LedgerRow>& rows) {
  wire::LedgerEntry sum;
  std::uint64_t stored = 0;
  std::uint64_t expired = 0;
  std::map<std::string, std::uint64_t> lost;
  std::map<model::LedgerVerdict, std::uint64_t> verdicts;
  for (const auto& row : rows) {
    sum.records_read += row.entry.records_read;
    sum.records_spooled += row.entry.records_spooled;
    stored += row.records_stored;
    expired += row.records_expired;
    for (const auto& [reason, count] : row.records_lost) lost[reason] += count;
    for (const auto& [reason, count] : row.entry.records_dropped)
      sum.records_dropped[reason] += count;
    for (const auto& [reason, count] : row.entry.bytes_dropped) sum.bytes_dropped[reason] += count;
    ++verdicts[row.verdict];
  }
  return {{"sources", rows.size()},
          {"records_read", sum.records_read},
          {"records_spooled", sum.records_spooled},
          {"records_stored", stored},
          {"records_expired", expired},
          {"records_lost", counts_json(lost)},
          {"records_dropped", counts_json(sum.records_dropped)},
          {"bytes_dropped", counts_json(sum.bytes_dropped)},
          {"balanced", verdicts[model::LedgerVerdict::kBalanced]},
          {"pending", verdicts[model::LedgerVerdict::kPending]},
          {"gaps", verdicts[model::LedgerVerdict::kGap]}};
}

json::object agent_json(const model::AgentRecord& agent, bool needs_approval) {
  return {{"agent_id", agent.id.value()},
          {"hostname", agent.hostname},
          {"state", name_of(agent.state)},
          {"needs_approval", needs_approval},
          {"labels", map_json(agent.labels)},
          {"shard", agent.shard},
          {"token_id", agent.token_id},
          {"enrolled_ms", agent.enrolled_ms},
          {"last_seen_ms", agent.last_seen_ms},
          {"agent_version", agent.last_hello ? agent.last_hello->agent_version : ""},
          {"certificate_serial", agent.certificate_serial},
          {"certificate_not_after_ms", agent.certificate_not_after_ms},
          {"spki_sha256", agent.spki_sha256},
          {"revoked_ms", agent.revoked_ms},
          {"revoked_reason", agent.revoked_reason}};
}

json::object token_json(const model::TokenRecord& token, std::int64_t now_ms) {
  json::array cidrs;
  for (const auto& cidr : token.cidrs) cidrs.emplace_back(cidr);
  const std::string_view state = token.revoked_ms != 0              ? "revoked"
                                 : token.uses >= token.uses_allowed ? "used"
                                 : token.expires_ms <= now_ms       ? "expired"
                                                                    : "usable";
  return {{"id", token.id},
          {"state", state},
          {"labels", map_json(token.labels)},
          {"cidrs", std::move(cidrs)},
          {"host_pattern", token.host_pattern},
          {"uses_allowed", token.uses_allowed},
          {"uses", token.uses},
          {"needs_approval", token.needs_approval},
          {"created_ms", token.created_ms},
          {"expires_ms", token.expires_ms},
          {"revoked_ms", token.revoked_ms},
          {"created_by", token.created_by}};
}

json::object key_json(const model::ApiKeyRecord& key, std::int64_t now_ms) {
  const std::string_view state = key.revoked_ms != 0                               ? "revoked"
                                 : key.expires_ms != 0 && key.expires_ms <= now_ms ? "expired"
                                                                                   : "active";
  return {{"id", key.id},
          {"state", state},
          {"user", key.user},
          {"role", to_string(key.role)},
          {"tenant", key.tenant.value()},
          {"created_ms", key.created_ms},
          {"expires_ms", key.expires_ms},
          {"last_used_ms", key.last_used_ms},
          {"revoked_ms", key.revoked_ms}};
}

json::object audit_json(const model::AuditEntry& entry) {
  json::error_code error;
  const auto parsed = json::parse(entry.detail, error);
  json::object detail;
  if (!error && parsed.is_object()) {
    detail = parsed.get_object();
  } else if (!entry.detail.empty()) {
    detail["text"] = entry.detail;
  }
  return {{"seq", entry.seq},
          {"ts_ms", entry.ts_ms},
          {"actor", entry.actor},
          {"action", entry.action},
          {"object", entry.object},
          {"detail", std::move(detail)},
          {"hash", entry.hash == wire::Digest{} ? "" : text::to_hex(entry.hash)}};
}

}  // namespace observeai::controlplane::api
