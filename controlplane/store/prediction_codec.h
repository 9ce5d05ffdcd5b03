// Predictions <-> packed columns. Internal to controlplane/store.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/model/predictions.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::store {

// All but what has a column.
std::string pack_prediction(const model::PredictionRecord& prediction);
Result<void> unpack_prediction(std::string_view bytes, model::PredictionRecord& prediction);

std::string pack_suggestions(const std::vector<model::SuggestedAction>& suggestions);
Result<std::vector<model::SuggestedAction>> unpack_suggestions(std::string_view bytes);

}  // namespace observeai::controlplane::store
