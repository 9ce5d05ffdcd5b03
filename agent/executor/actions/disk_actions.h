// disk.vacuum_files and disk.vacuum_journal: old files go, one by one, each told before and after.
//
// disk.vacuum_files: age counts from the last full hour, so that the same files are told from the dry run to
// the execution within it.
// disk.vacuum_journal: journalctl --vacuum-size counts the journal in use too and picks at the moment it
// runs, so what it will remove cannot be promised. Here: archived files alone, by name and by header, the
// oldest first until those that stay fit into keep_bytes; readers are no hindrance, a writer is.
#pragma once

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// `host` outlives the actions.
void add_disk_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
