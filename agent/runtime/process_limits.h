// What the kernel allows this process.
#pragma once

#include <cstdint>

#include "protocol/base/result.h"

namespace observeai::agent {

// Raises the number of files that may be open to `wanted`, or as far as the hard limit allows, and
// returns what holds now; never lowers it. Call it before threads are started.
Result<std::uint64_t> raise_open_files(std::uint64_t wanted);

// One heap for all threads: they rarely allocate at one time, and a heap for each would keep what its
// busiest moment took. It keeps up to 8 MiB of free memory, buffers of that size included, until
// give_back_free_memory(). Call it before threads are started.
void keep_one_heap();
// Free pages inside the heap go back as well. About a millisecond; any thread.
void give_back_free_memory();
// Code and constants of the program and its libraries leave its memory; what is still in use comes back
// from the page cache, a few hundred faults of a microsecond. What only a start or a handshake needs
// (half of a TLS library, say) stays out. Any thread.
void give_back_unused_code();

}  // namespace observeai::agent
