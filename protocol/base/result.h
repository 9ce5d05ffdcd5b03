// The one error-carrying return type. Same member names as std::expected, so that
// moving to GCC 13+ is a change of this header alone.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace observeai {

// What went wrong, coarse enough to switch on. The message carries the detail.
enum class Errc {
  kInvalid,  // The input breaks a documented rule.
  kNotFound,
  kUnavailable,  // Try again later: broker down, socket refused, database busy.
  kTimeout,
  kCorrupt,   // Stored or received bytes fail their own check.
  kDenied,    // Signature, policy or permission says no.
  kLimit,     // A bound of ours was reached.
  kInternal,  // A bug of ours, seen at run time.
};

class [[nodiscard]] Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }

  // "open outbox: disk is full": says where, keeps the code.
  Error with_context(std::string_view where) && {
    message_.insert(0, ": ").insert(0, where);
    return std::move(*this);
  }

 private:
  Errc code_;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  using Base::Base;
  Result() = default;                           // Asio's co_spawn needs one.
  Result(Base base) : Base(std::move(base)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : Base(tl::unexpected<Error>(std::move(error))) {}  // NOLINT(google-explicit-constructor)
};

}  // namespace observeai

namespace observeai {

// Says on purpose that a failure does not matter here, and why.
template <class T>
void ignore(const Result<T>&, const char* /*why*/) {}

// Lower-case field name of a code, as it stands in JSON and logs: "not_found".
std::string_view to_string(Errc code);

}  // namespace observeai

// A declaration, not an expression: GCC 12 crashes on co_await inside ({ ... }).
#define OBSERVEAI_CAT2(a, b) a##b
#define OBSERVEAI_CAT(a, b) OBSERVEAI_CAT2(a, b)
#define OBSERVEAI_TRY_IMPL(tmp, leave, decl, ...) \
  auto tmp = (__VA_ARGS__);                       \
  if (!tmp) leave std::move(tmp).error();         \
  decl = std::move(*tmp)
// TRY(auto x, f()); returns the error of f() to the caller, or declares x.
#define TRY(decl, ...) \
  OBSERVEAI_TRY_IMPL(OBSERVEAI_CAT(try_, __COUNTER__), return, decl, __VA_ARGS__)
#define CO_TRY(decl, ...) \
  OBSERVEAI_TRY_IMPL(OBSERVEAI_CAT(try_, __COUNTER__), co_return, decl, __VA_ARGS__)
// TRY_VOID(f()); the same for a Result<void>.
#define OBSERVEAI_TRY_VOID_IMPL(tmp, leave, ...) \
  auto tmp = (__VA_ARGS__);                      \
  if (!tmp) leave std::move(tmp).error()
#define TRY_VOID(...) OBSERVEAI_TRY_VOID_IMPL(OBSERVEAI_CAT(try_, __COUNTER__), return, __VA_ARGS__)
#define CO_TRY_VOID(...) \
  OBSERVEAI_TRY_VOID_IMPL(OBSERVEAI_CAT(try_, __COUNTER__), co_return, __VA_ARGS__)
