#include "controlplane/store/commands.h"

#include <algorithm>

#include "controlplane/store/alerts.h"
#include "controlplane/store/ids.h"
#include "controlplane/store/plan_codec.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::store {
namespace {

#define COMMAND_COLUMNS \
  "id, plan, tenant, agent, mode, attempt, seq, envelope, sha256, issued_ms, expires_ms, state"

constexpr const char* kInsert =
    "INSERT INTO commands(" COMMAND_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kClose = "UPDATE commands SET state=? WHERE id=?";
constexpr const char* kFind = "SELECT " COMMAND_COLUMNS " FROM commands WHERE id=?";
constexpr const char* kOfPlan =
    "SELECT " COMMAND_COLUMNS " FROM commands WHERE plan=? ORDER BY issued_ms, seq";
constexpr const char* kOpen =
    "SELECT " COMMAND_COLUMNS " FROM commands WHERE agent=? AND state=1 ORDER BY seq";
constexpr const char* kList =
    "SELECT id, plan, tenant, agent, mode, attempt, seq, '', sha256, issued_ms, expires_ms, state"
    " FROM commands WHERE tenant=?1 AND (?2=0 OR issued_ms<?2)"
    " ORDER BY issued_ms DESC, seq DESC LIMIT ?3";
constexpr const char* kReserve =
    "INSERT INTO command_seqs(agent, seq) VALUES(?1, ?2 + 1)"
    " ON CONFLICT DO UPDATE SET seq=max(seq, ?2) + 1";
constexpr const char* kReserved = "SELECT seq FROM command_seqs WHERE agent=?";

#define RESULT_COLUMNS "no, command, agent, envelope, received_ms, valid"
constexpr const char* kSentTo =
    "SELECT id FROM commands WHERE agent=?1 AND (id=?2 OR sha256=?3) LIMIT 1";
constexpr const char* kSentElsewhere = "SELECT id FROM commands WHERE sha256=? LIMIT 1";
constexpr const char* kResultCount =
    "SELECT count(*) FROM command_results WHERE command=? AND agent=?";
constexpr const char* kInsertResult =
    "INSERT OR IGNORE INTO command_results(command, agent, hash, envelope, received_ms)"
    " VALUES(?,?,?,?,?)";
constexpr const char* kResults =
    "SELECT " RESULT_COLUMNS " FROM command_results WHERE command=? ORDER BY no";
constexpr const char* kUnchecked =
    "SELECT " RESULT_COLUMNS " FROM command_results WHERE valid IS NULL ORDER BY no LIMIT ?";
constexpr const char* kMark = "UPDATE command_results SET valid=? WHERE no=?";

Result<model::CommandRecord> command_from(const sql::Statement& row) {
  model::CommandRecord command;
  TRY(command.id, sixteen_from(row.blob(0), "command id"));
  TRY(command.plan, id_from<wire::PlanId>(row.text(1)));
  TRY(command.tenant, id_from<TenantId>(row.text(2)));
  TRY(command.agent, id_from<AgentId>(row.text(3)));
  command.mode = static_cast<wire::CommandMode>(row.integer(4));
  command.attempt = row.integer32(5);
  command.seq = row.unsigned_integer(6);
  command.envelope = std::string(row.blob(7));
  TRY(command.sha256, digest_from(row.blob(8)));
  command.issued_ms = row.integer(9);
  command.expires_ms = row.integer(10);
  command.state = static_cast<model::CommandState>(row.integer(11));
  return command;
}

Result<model::ResultRecord> result_from(const sql::Statement& row) {
  model::ResultRecord result;
  result.no = row.integer(0);
  TRY(result.command, sixteen_from(row.blob(1), "command id"));
  TRY(result.agent, id_from<AgentId>(row.text(2)));
  result.envelope = std::string(row.blob(3));
  result.received_ms = row.integer(4);
  if (!row.is_null(5)) result.valid = row.integer(5) != 0;
  return result;
}

template <class T>
Result<std::vector<T>> all(sql::Statement& row, Result<T> (*make)(const sql::Statement&)) {
  std::vector<T> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    TRY(auto one, make(row));
    out.push_back(std::move(one));
  }
}

Result<void> alert_result(sql::Database& db, const AgentId& agent, const char* message,
                          std::int64_t now_ms) {
  model::Alert alert;
  alert.kind = "command.result";
  alert.agent = agent;
  alert.message = message;
  alert.first_ms = alert.last_ms = now_ms;
  alert.count = 1;
  return raise_alert(db, alert);
}

template <class... Values>
Result<std::optional<wire::Bytes16>> command_id(sql::Database& db, const char* query,
                                                const Values&... values) {
  TRY(auto row, db.query(query, values...));
  TRY(const bool found, row.step());
  if (!found) return std::optional<wire::Bytes16>();
  TRY(const auto id, sixteen_from(row.blob(0), "command id"));
  return std::optional(id);
}

Result<void> store_result(sql::Database& db, const AgentId& agent, const std::string& envelope,
                          std::int64_t now_ms) {
  const auto opened = wire::decode_envelope(envelope);
  const auto result = opened && opened->type == wire::kResultType
                          ? wire::decode_result(opened->payload)
                          : Result<wire::CommandResult>(Error(Errc::kCorrupt, ""));
  if (!result || result->agent != agent)
    return alert_result(db, agent, "what should be a result of a command is none", now_ms);
  auto most = model::kMaxResultsOfCommand;
  TRY(auto id, command_id(db, kSentTo, agent.value(), sql::Blob(result->command_id),
                          sql::Blob(result->command_sha256)));
  if (!id) {
    TRY(id, command_id(db, kSentElsewhere, sql::Blob(result->command_sha256)));
    most = model::kMaxResultsOfStranger;
  }
  if (!id) return alert_result(db, agent, "it answered a command that it was not sent", now_ms);
  TRY(const auto count, db.scalar(0, kResultCount, sql::Blob(*id), agent.value()));
  if (static_cast<std::size_t>(count) >= most)
    return alert_result(db, agent, "it answers one command again and again", now_ms);
  TRY_VOID(db.run(kInsertResult, sql::Blob(*id), agent.value(),
                  sql::Blob(wire::digest_of(envelope)), sql::Blob(envelope), now_ms));
  return {};
}

}  // namespace

Result<void> insert_command(sql::Database& db, const model::CommandRecord& command) {
  TRY_VOID(db.run(kInsert, sql::Blob(command.id), command.plan.value(), command.tenant.value(),
                  command.agent.value(), static_cast<int>(command.mode), command.attempt,
                  command.seq, sql::Blob(command.envelope), sql::Blob(command.sha256),
                  command.issued_ms, command.expires_ms, static_cast<int>(command.state)));
  return {};
}

Result<void> close_command(sql::Database& db, const wire::Bytes16& id, model::CommandState state) {
  TRY_VOID(db.run(kClose, static_cast<int>(state), sql::Blob(id)));
  return {};
}

Result<void> mark_result(sql::Database& db, std::int64_t no, bool valid) {
  TRY_VOID(db.run(kMark, valid, no));
  return {};
}

Result<void> store_results(sql::Database& db, const AgentId& agent,
                           const std::vector<std::string>& envelopes, std::int64_t now_ms) {
  for (const auto& envelope : envelopes) {
    TRY_VOID(store_result(db, agent, envelope, now_ms));
  }
  return {};
}

Result<std::vector<std::uint64_t>> CommandStore::reserve(
    const std::vector<std::pair<AgentId, std::uint64_t>>& agents) {
  return state_.write([&](sql::Database& db) -> Result<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> out;
    out.reserve(agents.size());
    for (const auto& [agent, seen] : agents) {
      TRY_VOID(db.run(kReserve, agent.value(), seen));
      TRY(const auto seq, db.scalar(0, kReserved, agent.value()));
      out.push_back(static_cast<std::uint64_t>(seq));
    }
    return out;
  });
}

Result<std::optional<model::CommandRecord>> CommandStore::find(const wire::Bytes16& id) {
  return state_.read([&](sql::Database& db) -> Result<std::optional<model::CommandRecord>> {
    TRY(auto row, db.query(kFind, sql::Blob(id)));
    TRY(const bool found, row.step());
    if (!found) return std::optional<model::CommandRecord>();
    TRY(auto command, command_from(row));
    return std::optional<model::CommandRecord>(std::move(command));
  });
}

Result<std::vector<model::CommandRecord>> CommandStore::of_plan(const wire::PlanId& plan) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::CommandRecord>> {
    TRY(auto row, db.query(kOfPlan, plan.value()));
    return all(row, command_from);
  });
}

Result<std::vector<model::CommandRecord>> CommandStore::open(const AgentId& agent) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::CommandRecord>> {
    TRY(auto row, db.query(kOpen, agent.value()));
    return all(row, command_from);
  });
}

Result<std::vector<model::CommandRecord>> CommandStore::list(const TenantId& tenant,
                                                             std::int64_t before_ms,
                                                             std::size_t limit) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::CommandRecord>> {
    TRY(auto row, db.query(kList, tenant.value(), before_ms, static_cast<std::uint64_t>(limit)));
    return all(row, command_from);
  });
}

Result<std::vector<model::ResultRecord>> CommandStore::results(const wire::Bytes16& command) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::ResultRecord>> {
    TRY(auto row, db.query(kResults, sql::Blob(command)));
    return all(row, result_from);
  });
}

Result<std::vector<model::ResultRecord>> CommandStore::unchecked(std::size_t limit) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::ResultRecord>> {
    TRY(auto row, db.query(kUnchecked, static_cast<std::uint64_t>(limit)));
    return all(row, result_from);
  });
}

Result<void> CommandStore::mark(const model::ResultRecord& result, bool valid) {
  return state_.write([&](sql::Database& db) { return mark_result(db, result.no, valid); });
}

}  // namespace observeai::controlplane::store
