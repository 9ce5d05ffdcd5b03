#include "protocol/wire/detail/command_fields.h"

#include "protocol/wire/command_codec.h"

namespace observeai::wire::detail {

Error invalid(std::string_view what, std::string_view why) {
  return Error(Errc::kInvalid, std::string(what).append(": ").append(why));
}

Result<void> require(bool holds, std::string_view what, std::string_view why) {
  if (!holds) return invalid(what, why);
  return {};
}

Result<void> check_at_most(std::size_t count, std::size_t limit, std::string_view what) {
  if (count <= limit) return {};
  return Error(Errc::kLimit, std::string(what) + ": " + std::to_string(count) + " is above " +
                                 std::to_string(limit));
}

Result<void> check_text(std::string_view value, std::size_t limit, std::string_view what) {
  TRY_VOID(check_at_most(value.size(), limit, std::string(what) + " bytes"));
  return require(text::escape_unprintable(value, limit + 1) == value, what,
                 "not UTF-8, or with characters that cannot be seen");
}

Result<void> check_person(std::string_view value, std::string_view what) {
  TRY_VOID(check_at_most(value.size(), kMaxPersonBytes, std::string(what) + " bytes"));
  const bool printable =
      std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
  return require(!value.empty() && printable, what, "not printable ASCII without spaces");
}

bool is_time(std::int64_t unix_ms) {
  return unix_ms >= 0 && unix_ms <= kMaxTimeMs;
}

bool is_word(std::string_view value, std::size_t limit, std::string_view allowed) {
  return !value.empty() && value.size() <= limit &&
         value.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace observeai::wire::detail
