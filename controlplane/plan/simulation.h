// From the hosts' dry runs to what a person approves: one intent for each host, to the last parameter,
// and the root over them. Pure.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/plans.h"
#include "protocol/base/result.h"
#include "protocol/signing/merkle.h"

namespace observeai::controlplane::plan {

// What a dry run is asked with: state and diff are not known yet.
wire::Intent dry_run_intent(const model::PlanRecord& plan, const AgentId& agent);
// What would be done, tied to what this dry run saw. kInvalid: it is not an answer to a dry run.
Result<wire::Intent> intent_after(const model::PlanRecord& plan, const AgentId& agent,
                                  const wire::CommandResult& dry_run);

struct Batch {
  std::vector<std::string> intents;  // Encoded: the leaves, in the order of the hosts
  signing::MerkleTree tree;
};
// kInvalid: no intents, or one that does not encode.
Result<Batch> make_batch(const std::vector<wire::Intent>& intents);
// The same from stored bytes.
Result<Batch> batch_of(std::vector<std::string> intents);

}  // namespace observeai::controlplane::plan
