// The real executor, ended by SIGKILL at one edge: the moment just before or just after a call by which it
// changes something (tests/support/edgelib.c). Edges are numbered from 1 in the order in which they are
// passed, so that counting up until nothing is killed any more has been through all of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/executor/ledger.h"
#include "attack_rig.h"
#include "tests/support/edgelib.h"

namespace observeai::test {

class EdgeRig : public AttackRig {
 public:
  EdgeRig();
  ~EdgeRig();

  // Counts anew; the program ends at edge number `edge`, 0: at none.
  void arm(int edge);
  // True: it was not killed, and will not be.
  bool disarm();
  // After disarm() said false: until it is dead, and everything that it had started.
  void wait_until_dead();
  std::vector<std::string> passed() const;  // The edges since arm(), by name
  std::string edge() const;                 // The one that arm() named

  // What a killed program's ledger says of a command, looked at in a copy.
  std::optional<agent::executor::Ledger::State> state_of(const wire::Bytes16& id) const;
  std::vector<wire::CommandResult> told(const wire::Bytes16& id) const;  // Among waiting_results()
  void acknowledge() const;  // As the agent does when they are in its spool

 private:
  edges* edges_ = nullptr;  // Mapped
  int armed_ = 0;
};

}  // namespace observeai::test
