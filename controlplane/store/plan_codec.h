// Plans <-> packed columns. Internal to controlplane/store.
#pragma once

#include <string>
#include <string_view>

#include "controlplane/model/plans.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::store {

// What was asked for.
std::string pack_wish(const model::PlanRecord& plan);
Result<void> unpack_wish(std::string_view bytes, model::PlanRecord& plan);
// How far it is, apart from what has a column.
std::string pack_progress(const model::PlanRecord& plan);
Result<void> unpack_progress(std::string_view bytes, model::PlanRecord& plan);
// Of a target: its baseline, and what verification looked at.
std::string pack_signals(const model::PlanTargetRecord& target);
Result<void> unpack_signals(std::string_view bytes, model::PlanTargetRecord& target);

Result<wire::Digest> digest_from(std::string_view blob);

}  // namespace observeai::controlplane::store
