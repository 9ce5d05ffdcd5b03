// CHECK is for invariants of our own code; input is answered with an Error.
#pragma once

namespace observeai::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace observeai::detail

#define CHECK(expression)        \
  (static_cast<bool>(expression) \
       ? static_cast<void>(0)    \
       : ::observeai::detail::check_failed(#expression, __FILE__, __LINE__))
