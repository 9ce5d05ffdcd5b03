// Predictions, incidents and accuracy as the JSON objects of openapi.yaml. Pure.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "controlplane/model/prediction_desk.h"

namespace observeai::controlplane::api {

// A row of a list: without its samples.
boost::json::object prediction_json(const model::PredictionRecord& prediction,
                                    const std::string& hostname);
boost::json::object prediction_detail_json(const model::PredictionView& view,
                                           const std::string& hostname);
boost::json::object incident_json(const model::IncidentRecord& incident,
                                  const std::string& hostname, const std::string& name);
boost::json::object outlook_json(const model::OutlookView& view);
boost::json::object accuracy_json(const model::AccuracyView& view);

// One word of a POSIX shell, whatever the text holds.
std::string shell_word(std::string_view text);

}  // namespace observeai::controlplane::api
