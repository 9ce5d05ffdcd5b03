// What the console does with predictions and incidents, apart from parsing options.
#pragma once

#include <string>

#include <boost/json/fwd.hpp>

#include "controlplane/cli/commands.h"

namespace observeai::controlplane::cli {

struct PredictionOptions {
  std::string state = "open";  // As the interface names them
  std::string host;
  std::string kind;
};
Result<void> list_predictions(Context& context, const PredictionOptions& options);
Result<void> show_prediction(Context& context, const std::string& id);
// What was averted, with when it would have come.
Result<void> show_prevented(Context& context, const std::string& host);

Result<void> show_outlook(Context& context);
Result<void> enable_predictions(Context& context, bool enabled);
Result<void> show_accuracy(Context& context, const std::string& host, const std::string& kind);

Result<void> list_incidents(Context& context);
Result<void> show_incident(Context& context, const std::string& id);

// The past, the forecast's fan (10 and 90 %), its median, and the limit.
std::string prediction_plot(const Terminal& terminal, const boost::json::object& detail);
// "web on db1 runs out of memory"
std::string what_of(const boost::json::object& prediction);
// "in 18m, between 12m and 31m"
std::string when_of(const boost::json::object& forecast, std::int64_t now_ms);
// "412 MiB of 512 MiB, growing by 3.1 GiB an hour, linear"
std::string why_of(const boost::json::object& prediction);

}  // namespace observeai::controlplane::cli
