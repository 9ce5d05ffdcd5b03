// Records as the JSON objects of openapi.yaml. Pure; foreign text may hold any bytes, json_reply()
// and event_frame() make the whole valid UTF-8.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "controlplane/api/messages.h"
#include "controlplane/model/records.h"

namespace observeai::controlplane::api {

Reply json_reply(const boost::json::object& body, int status = 200);
Reply text_reply(std::string json);  // Serialized already
// One server-sent event, complete with its empty line.
std::string event_frame(const std::string& event, const std::string& id,
                        const boost::json::object& data);

// A LogPosition as the id of an event: "<partition_ms>.<batch>.<index>".
std::string format_position(const model::LogPosition& position);
std::optional<model::LogPosition> parse_position(std::string_view text);

// Not finite or not known = null.
boost::json::value number_or_null(const std::optional<double>& value);
boost::json::value integer_or_null(const std::optional<double>& value);
boost::json::object map_json(const std::map<std::string, std::string>& map);
boost::json::object labels_json(const wire::Labels& labels);

// `hostname` and `name` (of the container, unit, ...) are looked up by the caller.
boost::json::object log_json(const model::LogRow& row, const std::string& hostname,
                             const std::string& name);
boost::json::object event_json(const model::EventRow& row, const std::string& hostname,
                               const std::string& name);
boost::json::object series_json(const model::SeriesInfo& info, const std::string& hostname);
std::string alert_id(const model::Alert& alert);
boost::json::object alert_json(const model::Alert& alert, const std::string& hostname);
boost::json::object ledger_json(const model::LedgerRow& row, const std::string& hostname,
                                const std::string& name);
boost::json::object ledger_totals_json(const std::vector<model::LedgerRow>& rows);
boost::json::object agent_json(const model::AgentRecord& agent, bool needs_approval);
boost::json::object token_json(const model::TokenRecord& token, std::int64_t now_ms);
boost::json::object key_json(const model::ApiKeyRecord& key, std::int64_t now_ms);
boost::json::object audit_json(const model::AuditEntry& entry);

}  // namespace observeai::controlplane::api
