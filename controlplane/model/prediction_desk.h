// What people see of predictions, and the switch, for the HTTPS interface: controlplane/outlook.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/prediction_repositories.h"

namespace observeai::model {

struct PredictionView {
  PredictionRecord prediction;
  std::vector<PredictionSample> samples;
};

// A followed resource about which nothing can be said yet.
struct ColdResource {
  ResourceName resource;
  std::uint32_t missing_steps = 0;  // Of the slow clock
  std::int64_t missing_ms = 0;
};

struct OutlookView {
  bool is_running = false;  // By the configuration
  PredictionSwitch wanted;
  std::int64_t step_ms = 0;
  std::int64_t fast_step_ms = 0;
  std::map<std::string, std::uint64_t> followed;  // By kind
  std::vector<ColdResource> cold;                 // At most kMaxShownCold
  std::uint64_t cold_count = 0;
  std::uint64_t open_count = 0;
  std::map<std::string, std::uint64_t> counters;  // Of the whole installation, since its start
};
inline constexpr std::size_t kMaxShownCold = 100;

struct ReliabilityBin {
  std::uint64_t stated = 0;  // How often such a probability was stated
  std::uint64_t happened = 0;
  std::optional<double> mean_p;
};

// Of one kind, or of all ("").
struct AccuracyView {
  std::string kind;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t false_alarms = 0;
  std::uint64_t prevented = 0;
  std::uint64_t unknown = 0;
  std::optional<double> precision;
  std::optional<double> recall;
  std::optional<double> useful_recall;  // With 15 minutes of lead
  std::optional<std::int64_t> lead_median_ms;
  std::optional<std::int64_t> lead_p10_ms;
  std::optional<std::int64_t> error_median_ms;
  std::optional<double> brier;
  std::optional<double> skill;
  std::uint64_t stated = 0;  // Probabilities that were compared with what came
  std::array<ReliabilityBin, 10> bins{};
};

// Thread-safe; blocks on the store. Everything is limited to the tenant: another one's is kNotFound.
class PredictionDesk {
 public:
  virtual ~PredictionDesk() = default;
  virtual Result<std::vector<PredictionRecord>> list(const PredictionQuery& query) = 0;
  // "pr-12"
  virtual Result<PredictionView> show(const TenantId& tenant, const std::string& id) = 0;
  virtual Result<std::vector<IncidentRecord>> incidents(const TenantId& tenant) = 0;
  virtual Result<IncidentRecord> incident(const TenantId& tenant, const std::string& id) = 0;
  virtual Result<OutlookView> status(const TenantId& tenant) = 0;
  // An entry of the audit log; none when it is so already.
  virtual Result<OutlookView> set_enabled(const TenantId& tenant, const std::string& person,
                                          bool enabled) = 0;
  // All together first, then by kind; of one host when `agent` is not empty.
  virtual Result<std::vector<AccuracyView>> accuracy(const TenantId& tenant, const AgentId& agent,
                                                     const std::string& kind) = 0;
};

// Numbers as people see them.
inline std::string prediction_id(std::int64_t no) {
  return "pr-" + std::to_string(no);
}
inline std::string incident_id(std::int64_t no) {
  return "in-" + std::to_string(no);
}

}  // namespace observeai::model
