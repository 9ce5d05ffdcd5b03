// Journal files that libsystemd has mapped count as memory of this process, page by page as they are
// touched (and what lies around: 64 KiB at a time), although the kernel could drop them at any moment.
#pragma once

namespace observeai::agent {

// Lets go of the pages of all mapped journal files; they stay in the kernel's cache, and come back when
// they are touched. Costs a look at /proc/self/maps.
void release_journal_pages();

}  // namespace observeai::agent
