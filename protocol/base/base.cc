#include <cstdio>
#include <cstdlib>

#include "protocol/base/check.h"
#include "protocol/base/id.h"
#include "protocol/base/result.h"

namespace observeai {

namespace detail {
void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, expression);
  std::abort();
}
}  // namespace detail

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return "invalid";
    case Errc::kNotFound:
      return "not_found";
    case Errc::kUnavailable:
      return "unavailable";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kCorrupt:
      return "corrupt";
    case Errc::kDenied:
      return "denied";
    case Errc::kLimit:
      return "limit";
    case Errc::kInternal:
      return "internal";
  }
  return "internal";
}

bool is_valid_id(std::string_view text) {
  if (text.empty() || text.size() > kMaxIdLength) return false;
  for (const char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return true;
}

}  // namespace observeai
