// The spool of the identity this host has now.
#pragma once

#include <memory>
#include <string>

#include "agent/spool/spool.h"

namespace observeai::agent {

struct OwnSpool {
  std::unique_ptr<Spool> spool;
  std::string of_other;  // What to tell when one of an earlier identity was put aside, else empty
};

// Opens <state_dir>/spool, or makes it. What another identity of this host left there would be sent
// under a wrong name: it is put aside. on_damage as for Spool::open(). Errors of Spool::open() and
// quarantine_spool().
Result<OwnSpool> open_own_spool(const std::string& state_dir, const std::string& agent_id,
                                const SpoolLimits& limits, const Clock& clock,
                                const Spool::OnDamage& on_damage);

}  // namespace observeai::agent
