#include "controlplane/store/alerts.h"

#include "controlplane/store/ids.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kRaise =
    "INSERT INTO alerts(kind, agent, object, message, first_ms, last_ms, count) "
    "VALUES(?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET message=excluded.message, last_ms=max(last_ms, excluded.last_ms),"
    " count=count + excluded.count";
constexpr const char* kClear = "DELETE FROM alerts WHERE kind=? AND agent=? AND object=?";
constexpr const char* kOpen =
    "SELECT kind, agent, object, message, first_ms, last_ms, count FROM alerts"
    " ORDER BY first_ms, kind, agent, object";

void merge(model::Alert& into, const model::Alert& more) {
  const std::uint64_t before = into.count;
  const std::int64_t first_ms = before > 0 ? into.first_ms : more.first_ms;
  const std::int64_t last_ms = std::max(into.last_ms, more.last_ms);
  into = more;
  into.first_ms = first_ms;
  into.last_ms = last_ms;
  into.count = before + std::max<std::uint64_t>(1, more.count);
}

Result<std::vector<model::Alert>> open_alerts(sql::Database& db) {
  TRY(auto row, db.query(kOpen));
  std::vector<model::Alert> alerts;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return alerts;
    model::Alert alert;
    alert.kind = row.string(0);
    TRY(alert.agent, id_from<AgentId>(row.text(1)));
    alert.object = row.string(2);
    alert.message = row.string(3);
    alert.first_ms = row.integer(4);
    alert.last_ms = row.integer(5);
    alert.count = row.unsigned_integer(6);
    alerts.push_back(std::move(alert));
  }
}

}  // namespace

Result<void> raise_alert(sql::Database& db, const model::Alert& alert) {
  TRY_VOID(db.run(kRaise, alert.kind, alert.agent.value(), alert.object, alert.message,
                  alert.first_ms, alert.last_ms, std::max<std::uint64_t>(1, alert.count)));
  return {};
}

Result<void> clear_alert(sql::Database& db, const std::string& kind, const AgentId& agent,
                         const std::string& object) {
  TRY_VOID(db.run(kClear, kind, agent.value(), object));
  return {};
}

Result<void> AlertStore::raise(const model::Alert& alert) {
  MutexLock lock(mutex_);
  const Key key(alert.kind, alert.agent, alert.object);
  if (unwritten_.empty()) {
    auto written = state_.write([&](sql::Database& db) { return raise_alert(db, alert); });
    if (written) return written;
  }
  if (!unwritten_.contains(key) && unwritten_.size() >= kMaxUnwritten)
    return Error(Errc::kLimit, "too many alerts wait to be written");
  merge(unwritten_[key], alert);
  return {};
}

Result<void> AlertStore::clear(const std::string& kind, const AgentId& agent,
                               const std::string& object) {
  MutexLock lock(mutex_);
  TRY_VOID(state_.write([&](sql::Database& db) { return clear_alert(db, kind, agent, object); }));
  unwritten_.erase(Key(kind, agent, object));
  return {};
}

Result<void> AlertStore::flush() {
  MutexLock lock(mutex_);
  if (unwritten_.empty()) return {};
  const auto waiting = unwritten_;
  TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto& entry : waiting) {
      TRY_VOID(raise_alert(db, entry.second));
    }
    return {};
  }));
  unwritten_.clear();
  return {};
}

Result<std::vector<model::Alert>> AlertStore::open() {
  MutexLock lock(mutex_);
  TRY(auto alerts, state_.read([&](sql::Database& db) { return open_alerts(db); }));
  for (const auto& [key, alert] : unwritten_) {
    const auto same = std::find_if(alerts.begin(), alerts.end(), [&key = key](const auto& one) {
      return Key(one.kind, one.agent, one.object) == key;
    });
    if (same == alerts.end()) {
      alerts.push_back(alert);
    } else {
      merge(*same, alert);
    }
  }
  return alerts;
}

}  // namespace observeai::controlplane::store
