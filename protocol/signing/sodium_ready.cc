#include "protocol/signing/detail/sodium_ready.h"

#include <sodium.h>

#include "protocol/base/check.h"

namespace observeai::signing::detail {

void require_sodium() {
  static const bool ready = ::sodium_init() >= 0;
  CHECK(ready);
}

}  // namespace observeai::signing::detail
