// Whether this process may read the files that journald wrote. libsystemd opens a journal none of whose
// files it may open, and finds it empty.
#pragma once

#include <string>

namespace observeai::agent {

// "<path>: <why>" of the first file of the journal in `folder`, or in a machine's folder (32 hex digits) in
// it, that cannot be opened, or of a folder that cannot be listed; "" = none, or there is no such folder.
// Blocks on disk. Any thread.
std::string unreadable_journal_file(const std::string& folder);

}  // namespace observeai::agent
