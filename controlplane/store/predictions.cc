#include "controlplane/store/predictions.h"

#include "controlplane/store/ids.h"
#include "controlplane/store/prediction_codec.h"
#include "controlplane/store/rows.h"

namespace observeai::controlplane::store {
namespace {

#define PREDICTION_COLUMNS                                                                       \
  "no, tenant, agent, kind, target, instance, state, opened_ms, closed_ms, event_ms, incident, " \
  "body"
#define INCIDENT_COLUMNS \
  "no, tenant, kind, agent, target, title, opened_ms, closed_ms, outcome, prediction, suggested"

// What happened without a prediction is told once.
constexpr const char* kInsert =
    "INSERT INTO predictions(tenant, agent, kind, target, instance, state, opened_ms, closed_ms, "
    "event_ms, incident, body) VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING";
constexpr const char* kUpdate =
    "UPDATE predictions SET state=?, closed_ms=?, event_ms=?, incident=?, body=? WHERE no=?";
constexpr const char* kNewest = "SELECT last_insert_rowid()";
constexpr const char* kFind = "SELECT " PREDICTION_COLUMNS " FROM predictions WHERE no=?";
constexpr const char* kOpen =
    "SELECT " PREDICTION_COLUMNS " FROM predictions WHERE closed_ms=0 ORDER BY opened_ms, no";
// ?4: states as a comma-separated list with commas around, "" = all.
constexpr const char* kList =
    "SELECT " PREDICTION_COLUMNS
    " FROM predictions WHERE tenant=?1 AND (?2='' OR agent=?2) AND (?3='' OR kind=?3)"
    " AND (?4='' OR instr(?4, ',' || state || ',') > 0) ORDER BY opened_ms DESC, no DESC LIMIT ?5";

constexpr const char* kAddSample =
    "INSERT OR REPLACE INTO prediction_samples(prediction, ts_ms, used, maximum) VALUES(?,?,?,?)";
constexpr const char* kSampleCount = "SELECT count(*) FROM prediction_samples WHERE prediction=?";
constexpr const char* kThin =
    "DELETE FROM prediction_samples WHERE prediction=?1 AND ts_ms IN (SELECT ts_ms FROM ("
    "SELECT ts_ms, row_number() OVER (ORDER BY ts_ms) AS place FROM prediction_samples"
    " WHERE prediction=?1) WHERE place % 2 = 0)";
constexpr const char* kSamples =
    "SELECT ts_ms, used, maximum FROM prediction_samples WHERE prediction=? ORDER BY ts_ms";

constexpr const char* kInsertIncident =
    "INSERT INTO incidents(tenant, kind, agent, target, title, opened_ms, closed_ms, outcome, "
    "prediction, suggested) VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kNameIncident = "UPDATE predictions SET incident=? WHERE no=?";
constexpr const char* kEndIncident = "UPDATE incidents SET closed_ms=?, outcome=? WHERE no=?";
constexpr const char* kIncidents =
    "SELECT " INCIDENT_COLUMNS
    " FROM incidents WHERE tenant=? ORDER BY opened_ms DESC, no DESC LIMIT ?";
constexpr const char* kFindIncident = "SELECT " INCIDENT_COLUMNS " FROM incidents WHERE no=?";

constexpr const char* kForgetOld = "DELETE FROM predictions WHERE closed_ms > 0 AND closed_ms < ?";
constexpr const char* kForgetMost =
    "DELETE FROM predictions WHERE no IN (SELECT no FROM (SELECT no, row_number() OVER ("
    "PARTITION BY tenant ORDER BY opened_ms DESC, no DESC) AS place FROM predictions"
    " WHERE closed_ms > 0) WHERE place > ?)";

Result<model::PredictionRecord> prediction_from(const sql::Statement& row) {
  model::PredictionRecord out;
  out.no = row.integer(0);
  TRY(out.tenant, id_from<TenantId>(row.text(1)));
  TRY(out.resource.agent, id_from<AgentId>(row.text(2)));
  out.resource.kind = row.string(3);
  out.resource.target = row.string(4);
  out.resource.instance = row.string(5);
  out.state = static_cast<model::PredictionState>(row.integer(6));
  out.opened_ms = row.integer(7);
  out.closed_ms = row.integer(8);
  out.event_ms = row.integer(9);
  out.incident = row.integer(10);
  TRY_VOID(unpack_prediction(row.blob(11), out));
  return out;
}

Result<model::IncidentRecord> incident_from(const sql::Statement& row) {
  model::IncidentRecord out;
  out.no = row.integer(0);
  TRY(out.tenant, id_from<TenantId>(row.text(1)));
  out.kind = row.string(2);
  TRY(out.agent, id_from<AgentId>(row.text(3)));
  out.target = row.string(4);
  out.title = row.string(5);
  out.opened_ms = row.integer(6);
  out.closed_ms = row.integer(7);
  out.outcome = row.string(8);
  out.prediction = row.integer(9);
  TRY(out.suggestions, unpack_suggestions(row.blob(10)));
  return out;
}

// How its incident ended.
std::string outcome_of(const model::PredictionRecord& made) {
  return made.closed_ms == 0 ? "" : std::string(name(made.state));
}

// False: this event closed another one of the resource before.
Result<bool> insert(sql::Database& db, model::PredictionRecord& made) {
  const auto& of = made.resource;
  TRY(const auto changed,
      db.run(kInsert, made.tenant.value(), of.agent.value(), of.kind, of.target, of.instance,
             static_cast<int>(made.state), made.opened_ms, made.closed_ms, made.event_ms,
             made.incident, sql::Blob(pack_prediction(made))));
  if (changed == 0) return false;
  TRY(made.no, db.scalar(0, kNewest));
  return true;
}

Result<void> update(sql::Database& db, const model::PredictionRecord& made) {
  TRY_VOID(db.run(kUpdate, static_cast<int>(made.state), made.closed_ms, made.event_ms,
                  made.incident, sql::Blob(pack_prediction(made)), made.no));
  if (made.incident == 0) return {};
  TRY_VOID(db.run(kEndIncident, made.closed_ms, outcome_of(made), made.incident));
  return {};
}

Result<void> add_incident(sql::Database& db, model::PredictionRecord& made,
                          const model::IncidentRecord& incident) {
  TRY_VOID(db.run(kInsertIncident, incident.tenant.value(), incident.kind, incident.agent.value(),
                  incident.target, incident.title, incident.opened_ms, made.closed_ms,
                  outcome_of(made), made.no, sql::Blob(pack_suggestions(incident.suggestions))));
  TRY(made.incident, db.scalar(0, kNewest));
  TRY_VOID(db.run(kNameIncident, made.incident, made.no));
  return {};
}

Result<void> add_samples(sql::Database& db, std::int64_t no,
                         const std::vector<model::PredictionSample>& samples) {
  if (samples.empty()) return {};
  for (const auto& sample : samples) {
    TRY_VOID(db.run(kAddSample, no, sample.ts_ms, sample.used, sample.limit));
  }
  for (;;) {
    TRY(const auto count, db.scalar(0, kSampleCount, no));
    if (static_cast<std::size_t>(count) <= model::kMaxSamplesOfPrediction) return {};
    TRY_VOID(db.run(kThin, no));
  }
}

std::string list_of(const std::vector<model::PredictionState>& states) {
  std::string out;
  for (const auto state : states)
    out += (out.empty() ? "," : "") + std::to_string(static_cast<int>(state)) + ",";
  return out;
}

}  // namespace

Result<std::vector<model::PredictionRecord>> PredictionStore::apply(
    const model::PredictionChange& change) {
  return state_.write([&](sql::Database& db) -> Result<std::vector<model::PredictionRecord>> {
    std::vector<model::PredictionRecord> out;
    for (const auto& step : change.steps) {
      auto& made = out.emplace_back(step.prediction);
      if (made.no != 0) {
        TRY_VOID(update(db, made));
      } else {
        TRY(const bool is_new, insert(db, made));
        if (!is_new) continue;
        if (step.incident) {
          TRY_VOID(add_incident(db, made, *step.incident));
        }
      }
      TRY_VOID(add_samples(db, made.no, step.samples));
    }
    if (change.seen_event) {
      TRY_VOID(note_seen_event(db, *change.seen_event));
    }
    return out;
  });
}

Result<std::vector<model::PredictionRecord>> PredictionStore::open() {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PredictionRecord>> {
    TRY(auto row, db.query(kOpen));
    return all<model::PredictionRecord>(row, prediction_from);
  });
}

Result<std::vector<model::PredictionRecord>> PredictionStore::list(
    const model::PredictionQuery& query) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PredictionRecord>> {
    TRY(auto row, db.query(kList, query.tenant.value(), query.agent.value(), query.kind,
                           list_of(query.states), static_cast<std::uint64_t>(query.limit)));
    return all<model::PredictionRecord>(row, prediction_from);
  });
}

Result<std::optional<model::PredictionRecord>> PredictionStore::find(std::int64_t no) {
  return state_.read([&](sql::Database& db) -> Result<std::optional<model::PredictionRecord>> {
    TRY(auto row, db.query(kFind, no));
    return one_of<model::PredictionRecord>(row, prediction_from);
  });
}

Result<std::vector<model::PredictionSample>> PredictionStore::samples(std::int64_t no) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PredictionSample>> {
    TRY(auto row, db.query(kSamples, no));
    return all<model::PredictionSample>(
        row, [](const sql::Statement& one) -> Result<model::PredictionSample> {
          return model::PredictionSample{one.integer(0), one.real(1), one.real(2)};
        });
  });
}

Result<std::vector<model::IncidentRecord>> PredictionStore::incidents(const TenantId& tenant,
                                                                      std::size_t limit) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::IncidentRecord>> {
    TRY(auto row, db.query(kIncidents, tenant.value(), static_cast<std::uint64_t>(limit)));
    return all<model::IncidentRecord>(row, incident_from);
  });
}

Result<std::optional<model::IncidentRecord>> PredictionStore::find_incident(std::int64_t no) {
  return state_.read([&](sql::Database& db) -> Result<std::optional<model::IncidentRecord>> {
    TRY(auto row, db.query(kFindIncident, no));
    return one_of<model::IncidentRecord>(row, incident_from);
  });
}

Result<void> PredictionStore::forget_closed(std::int64_t before_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kForgetOld, before_ms));
    TRY_VOID(db.run(kForgetMost, static_cast<std::uint64_t>(model::kMaxClosedPredictions)));
    return {};
  });
}

}  // namespace observeai::controlplane::store
