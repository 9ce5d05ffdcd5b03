// The HTTPS interface without its sockets: a request in, a reply out, as openapi.yaml says.
// Everything it needs of the world is handed in; controlplane/app builds it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/api/live_hub.h"
#include "controlplane/api/messages.h"
#include "controlplane/auth/access_service.h"
#include "controlplane/model/plan_desk.h"
#include "controlplane/model/prediction_desk.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"

namespace observeai::controlplane::api {

// The largest bodies are enrollment requests.
inline constexpr std::size_t kMaxBodyBytes = 64U << 10;

// A host is online when it was seen in this time (it says hello every 5 minutes, but its batches
// and events come far more often; last_seen_ms is the newest of these).
inline constexpr std::int64_t kOnlineMs = 90'000;

// The reply of an enrollment handler, passed on as it is.
struct HttpReply {
  int status = 200;
  std::string body;  // JSON
};
using EnrollHandler = std::function<HttpReply(std::string_view body, std::string remote_ip)>;

struct NewToken {
  std::int64_t ttl_ms = 3'600'000;
  std::uint32_t uses = 1;
  std::map<std::string, std::string> labels;
  std::vector<std::string> cidrs;
  std::string host_pattern;
  bool needs_approval = false;
};
struct CreatedToken {
  std::string text;  // Shown once
  model::TokenRecord record;
};

// What the rest of the control plane knows of itself. nullopt = not known, shown as null.
struct SystemStatus {
  std::int64_t started_ms = 0;
  struct Ingest {  // Rates over the last minute
    std::optional<double> batches_per_s;
    std::optional<double> samples_per_s;
    std::optional<double> log_records_per_s;
    std::optional<double> bytes_per_s;
    std::uint64_t batches_total = 0;
    std::uint64_t duplicates_total = 0;
    std::uint64_t rejected_total = 0;
  } ingest;
  struct Broker {
    std::string state = "unknown";  // connected, connecting, disconnected, unknown
    std::string address;
    std::int64_t since_ms = 0;
    std::string detail;  // The last error
  } broker;
  struct Store {
    std::optional<std::uint64_t> state_bytes;
    std::optional<std::uint64_t> telemetry_bytes;
    std::optional<std::uint64_t> disk_free_bytes;
  } store;
};

// What the interface lets others do. Called on worker threads, several at once. Each writes its own
// audit entry; `actor` is "user:<name>".
struct Actions {
  std::function<Result<CreatedToken>(const NewToken&, const TenantId&, const std::string& actor)>
      create_token;
  std::function<Result<void>(const AgentId&, const std::string& reason, const std::string& actor)>
      revoke_agent;
  std::function<Result<void>(const AgentId&, const std::string& actor)> approve_agent;
  EnrollHandler enroll;
  EnrollHandler confirm;
  EnrollHandler renew;
  std::function<SystemStatus()> status;
  // The root of trust as signed, version 1 first.
  std::function<std::vector<std::string>()> roots;
  // Takes the next versions. kDenied: no successor of the newest.
  std::function<Result<void>(const std::vector<std::string>& envelopes, const std::string& actor)>
      publish_roots;
};

struct Dependencies {
  const Clock& clock;
  model::AgentRegistry& agents;
  model::TokenRepository& tokens;
  model::AuditLog& audit;
  model::AuditHeadRepository& audit_heads;
  model::AlertRepository& alerts;
  model::TelemetryReader& telemetry;
  AccessService& access;
  LiveHub& live;
  Actions actions;
  // Its keys also see what belongs to no tenant: alerts without an agent, audit entries of the
  // system.
  TenantId home_tenant;
  model::PlanDesk* plans = nullptr;              // None: remediation is not there
  model::PredictionDesk* predictions = nullptr;  // None: prediction is not there
};

struct Route;

// Thread-safe: handle() runs on many workers at once and may block on the store.
class Api {
 public:
  explicit Api(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  // Never throws; never tells about our inside.
  Reply handle(const Request& request);
  // Whether the body of this request (its own is still empty) is worth reading: the endpoint exists and
  // the caller may use it. The refusal otherwise.
  std::optional<Reply> refuse_body(const Request& request);

 private:
  Answer<Reply> answer(const Request& request);
  Answer<Identity> admit(const Request& request, const Route& route);

  Dependencies dependencies_;
};

}  // namespace observeai::controlplane::api
