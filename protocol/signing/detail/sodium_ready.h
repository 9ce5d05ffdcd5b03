// libsodium must be initialised before any call into it. Internal to protocol/signing.
#pragma once

namespace observeai::signing::detail {

// Cheap after the first call, thread-safe; the program stops if the machine has no randomness.
void require_sodium();

}  // namespace observeai::signing::detail
