// docker.rollback_image: the same container once more from an earlier image, so that at every moment one of
// the two can be had.
//
//   rename old -> create new -> join networks -> stop old -> start new -> old's policy "no"
//       -> verify: well, and equal but for the image -> remove old
//
// An error on the way puts the old one back at once. An executor that died on the way leaves either the old
// container running under another name, or, between stop and start, nothing running: recover_rollbacks()
// at the next start of the executor mends both.
#pragma once

#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// What the old container is called meanwhile: "<name>.before-<12 digits of its id>".
std::string name_while_replaced(const std::string& name, const std::string& id);
// What it is called after a verification that failed: to be looked at and removed by a person, or put back
// by undo(); recover_rollbacks() leaves it alone.
std::string name_when_kept(const std::string& name, const std::string& id);
// The name that it had, "" when `name` is not such a name of the container `id`.
std::string name_before_replaced(const std::string& name, const std::string& id);

// Call it before the first command. For every container that was left under such a name: puts it back when
// what took its place does not run; else leaves it stopped, not to be started by its restart policy. One
// line for people for each.
Result<std::vector<std::string>> recover_rollbacks(const Host& host, Run& run);

}  // namespace observeai::agent::executor
