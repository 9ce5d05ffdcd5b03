#include "agent/app/own_spool.h"

#include "agent/spool/aside.h"

namespace observeai::agent {
namespace {

constexpr const char* kOwner = "agent";  // The fact that names whose batches it holds

}  // namespace

Result<OwnSpool> open_own_spool(const std::string& state_dir, const std::string& agent_id,
                                const SpoolLimits& limits, const Clock& clock,
                                const Spool::OnDamage& on_damage) {
  const std::string directory = state_dir + "/spool";
  OwnSpool own;
  TRY(own.spool, Spool::open(directory, limits, clock, on_damage));
  TRY(const auto owner, own.spool->fact(kOwner));
  if (owner && *owner != agent_id) {
    own.spool.reset();
    TRY(const auto folder, quarantine_spool(directory));
    own.of_other = "the spool of this host's earlier identity " + *owner +
                   " was put aside, with what was not sent yet: " + folder;
    TRY(own.spool, Spool::open(directory, limits, clock, on_damage));
  }
  if (owner != agent_id) {
    TRY_VOID(own.spool->set_fact(kOwner, agent_id));
  }
  return own;
}

}  // namespace observeai::agent
