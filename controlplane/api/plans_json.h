// Plans, commands and results as the JSON objects of openapi.yaml. Pure.
#pragma once

#include <map>
#include <string>

#include <boost/json/fwd.hpp>

#include "controlplane/model/plan_desk.h"

namespace observeai::controlplane::api {

// A row of a list: without its hosts.
boost::json::object plan_json(const model::PlanRecord& plan);
// The approval card.
boost::json::object card_json(const model::PlanView& view);
boost::json::object command_json(const model::CommandRecord& command);
boost::json::object command_detail_json(const model::CommandView& view);
boost::json::object action_json(const model::ActionView& action);
boost::json::object freeze_json(const model::MaintenanceFreeze& freeze);

}  // namespace observeai::controlplane::api
