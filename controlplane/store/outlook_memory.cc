// PredictionStore: what the forecasters have learned, and whether they are wanted.
#include "controlplane/store/audit_log.h"
#include "controlplane/store/ids.h"
#include "controlplane/store/predictions.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kSaveFollowed =
    "INSERT OR REPLACE INTO outlook_followed(agent, kind, target, instance, saved_ms, state)"
    " VALUES(?,?,?,?,?,?)";
constexpr const char* kFollowed =
    "SELECT agent, kind, target, instance, saved_ms, state FROM outlook_followed"
    " ORDER BY agent, kind, target, instance";
constexpr const char* kForgetFollowed =
    "DELETE FROM outlook_followed WHERE agent=? AND kind=? AND target=? AND instance=?";
constexpr const char* kSaveCalibration =
    "INSERT OR REPLACE INTO outlook_calibration(agent, kind, state) VALUES(?,?,?)";
constexpr const char* kCalibration =
    "SELECT agent, kind, state FROM outlook_calibration WHERE ?1=''"
    " OR agent IN (SELECT id FROM agents WHERE tenant=?1) ORDER BY agent, kind";
constexpr const char* kNoteSeen =
    "INSERT INTO outlook_seen(id, event) VALUES(1, ?) ON CONFLICT DO UPDATE SET "
    "event=excluded.event";
constexpr const char* kSeen = "SELECT event FROM outlook_seen";
constexpr const char* kSwitch =
    "SELECT enabled, person, since_ms FROM prediction_switches WHERE tenant=?";
constexpr const char* kSetSwitch =
    "INSERT OR REPLACE INTO prediction_switches(tenant, enabled, person, since_ms)"
    " VALUES(?,?,?,?)";

Result<void> check_size(const std::string& bytes) {
  if (bytes.size() <= model::kMaxOutlookStateBytes) return {};
  return Error(Errc::kLimit, "a forecaster's state has " + std::to_string(bytes.size()) +
                                 " bytes, more than " +
                                 std::to_string(model::kMaxOutlookStateBytes));
}

}  // namespace

Result<void> note_seen_event(sql::Database& db, std::uint64_t event) {
  TRY_VOID(db.run(kNoteSeen, event));
  return {};
}

Result<void> PredictionStore::save(const std::vector<model::FollowedState>& followed,
                                   const std::vector<model::CalibrationState>& calibration) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto& one : followed) {
      const auto& of = one.resource;
      TRY_VOID(check_size(one.bytes));
      TRY_VOID(db.run(kSaveFollowed, of.agent.value(), of.kind, of.target, of.instance,
                      one.saved_ms, sql::Blob(one.bytes)));
    }
    for (const auto& one : calibration) {
      TRY_VOID(check_size(one.bytes));
      TRY_VOID(db.run(kSaveCalibration, one.agent.value(), one.kind, sql::Blob(one.bytes)));
    }
    return {};
  });
}

Result<std::vector<model::FollowedState>> PredictionStore::followed() {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::FollowedState>> {
    TRY(auto row, db.query(kFollowed));
    std::vector<model::FollowedState> out;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return out;
      auto& one = out.emplace_back();
      TRY(one.resource.agent, id_from<AgentId>(row.text(0)));
      one.resource.kind = row.string(1);
      one.resource.target = row.string(2);
      one.resource.instance = row.string(3);
      one.saved_ms = row.integer(4);
      one.bytes = std::string(row.blob(5));
    }
  });
}

Result<std::vector<model::CalibrationState>> PredictionStore::calibration(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::CalibrationState>> {
    TRY(auto row, db.query(kCalibration, tenant.value()));
    std::vector<model::CalibrationState> out;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return out;
      auto& one = out.emplace_back();
      TRY(one.agent, id_from<AgentId>(row.text(0)));
      one.kind = row.string(1);
      one.bytes = std::string(row.blob(2));
    }
  });
}

Result<void> PredictionStore::forget(const std::vector<model::ResourceName>& followed) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto& of : followed) {
      TRY_VOID(db.run(kForgetFollowed, of.agent.value(), of.kind, of.target, of.instance));
    }
    return {};
  });
}

Result<std::optional<std::uint64_t>> PredictionStore::seen_event() {
  return state_.read([&](sql::Database& db) -> Result<std::optional<std::uint64_t>> {
    TRY(auto row, db.query(kSeen));
    TRY(const bool found, row.step());
    if (!found) return std::optional<std::uint64_t>();
    return std::optional<std::uint64_t>(row.unsigned_integer(0));
  });
}

Result<model::PredictionSwitch> PredictionStore::prediction_switch(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) -> Result<model::PredictionSwitch> {
    TRY(auto row, db.query(kSwitch, tenant.value()));
    TRY(const bool found, row.step());
    if (!found) return model::PredictionSwitch();
    return model::PredictionSwitch{row.integer(0) != 0, row.string(1), row.integer(2)};
  });
}

Result<void> PredictionStore::set_prediction_switch(const TenantId& tenant,
                                                    const model::PredictionSwitch& wanted,
                                                    const model::AuditEntry& audit) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kSetSwitch, tenant.value(), wanted.enabled, wanted.by, wanted.since_ms));
    return append_audit(db, audit);
  });
}

}  // namespace observeai::controlplane::store
