// What of the catalogue of actions would help against what is foretold. Pure. A person decides: each has
// every needed parameter, passes the catalogue's check, and is simulated and approved like any other plan.
#pragma once

#include <vector>

#include "controlplane/model/predictions.h"
#include "controlplane/model/records.h"
#include "controlplane/predict/resources.h"

namespace observeai::controlplane::outlook {

// Best first. `inventory` may be null: then what needs a name is left out.
std::vector<model::SuggestedAction> suggestions_for(const predict::Reading& reading,
                                                    const model::HostInventory* inventory);

// What people call the target: "web", "nginx.service"; the target itself when nothing better is known.
std::string name_of(const wire::Target& target, const model::HostInventory* inventory);

// Whether an action on `acted`, as the plan's host named it ("container/web", "journal", "unit/x"), is one on
// what this resource belongs to.
bool acts_on(const std::string& action, const wire::Target& acted,
             const model::ResourceName& resource, const model::HostInventory* inventory);

}  // namespace observeai::controlplane::outlook
