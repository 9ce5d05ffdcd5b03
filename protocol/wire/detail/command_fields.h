// What the codecs of signed remediation share: rules on fields, and decoding into the one form. Never
// included outside this module.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command.h"
#include "protocol/wire/detail/shape.h"

namespace observeai::wire::detail {

inline constexpr std::int64_t kMaxTimeMs = 253'402'300'799'999;  // The last of the year 9999
inline constexpr std::size_t kMaxPathHashes = 20;
inline constexpr std::size_t kMaxActionBytes = 64;
inline constexpr std::size_t kMaxIncidentBytes = 64;

Error invalid(std::string_view what, std::string_view why);  // kInvalid: "intent: no plan"
// kInvalid unless `holds`.
Result<void> require(bool holds, std::string_view what, std::string_view why);
// kLimit above `limit`.
Result<void> check_at_most(std::size_t count, std::size_t limit, std::string_view what);
// kLimit above `limit` bytes; kInvalid for what text::escape_unprintable would change.
Result<void> check_text(std::string_view value, std::size_t limit, std::string_view what);
// kInvalid unless printable ASCII without spaces, 1 .. kMaxPersonBytes.
Result<void> check_person(std::string_view value, std::string_view what);
bool is_time(std::int64_t unix_ms);  // 0 .. kMaxTimeMs

// True for 1 .. limit of the characters that `allowed` lists.
bool is_word(std::string_view value, std::size_t limit, std::string_view allowed);
inline constexpr std::string_view kLowerAndUnderscore = "abcdefghijklmnopqrstuvwxyz_";
inline constexpr std::string_view kParameterName = "abcdefghijklmnopqrstuvwxyz_0123456789";
inline constexpr std::string_view kActionName = "abcdefghijklmnopqrstuvwxyz_0123456789.-";

template <std::size_t N>
bool is_zero(const std::array<std::uint8_t, N>& bytes) {
  return bytes == std::array<std::uint8_t, N>{};
}
template <std::size_t N>
std::string verbatim(const std::array<std::uint8_t, N>& bytes) {
  return std::string(text::as_text(bytes));
}
// Zeros are absent.
template <std::size_t N>
std::string optional_bytes(const std::array<std::uint8_t, N>& bytes) {
  return is_zero(bytes) ? std::string() : verbatim(bytes);
}

// Collects what is wrong with a message while its fields are read. Absent bytes and ids stay as they
// are in a new value: whether they may, says encoding.
class FieldReader {
 public:
  template <std::size_t N>
  void bytes(const std::string& in, std::array<std::uint8_t, N>& out) {
    if (in.empty()) return;
    if (in.size() != N) return fail("bytes of a wrong length");
    std::copy(in.begin(), in.end(), out.begin());
  }
  template <class Id>
  void id(const std::string& in, Id& out) {
    if (in.empty()) return;
    auto parsed = Id::parse(in);
    if (!parsed) return fail("a malformed id");
    out = std::move(*parsed);
  }
  // Enumerators from 1 to `last`: an open enum of protobuf holds any number, negative ones too.
  template <class Enum>
  void enumerator(int in, Enum last, Enum& out) {
    if (in < 1 || in > static_cast<int>(last)) return fail("an unknown enumerator");
    out = static_cast<Enum>(in);
  }
  void fail(std::string_view why) {
    if (why_.empty()) why_ = why;
  }
  const std::string& why() const { return why_; }

 private:
  std::string why_;
};

// kLimit above `limit`.
template <class Message>
Result<std::string> serialize(const Message& message, std::size_t limit, std::string_view what) {
  auto bytes = message.SerializeAsString();
  TRY_VOID(check_at_most(bytes.size(), limit, std::string(what) + " bytes"));
  return bytes;
}

// The value whose encoding is `bytes`; kCorrupt when there is none. `read` is void(const Message&, Value&,
// FieldReader&), `encode` checks every rule.
template <class Message, class Value, class Read, class Encode>
Result<Value> decode_exactly(std::string_view bytes, std::size_t limit, const Shape& shape,
                             std::string_view what, Read read, Encode encode) {
  const auto corrupt = [&](std::string_view why) {
    return Error(Errc::kCorrupt, std::string(what).append(": ").append(why));
  };
  if (bytes.size() > limit) return corrupt("above " + std::to_string(limit) + " bytes");
  const auto structure = structure_bytes(bytes, shape, kMaxDecodedBytes);
  if (!structure) return corrupt(structure.error().message());
  Message in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  Value value;
  FieldReader reader;
  read(in, value, reader);
  if (!reader.why().empty()) return corrupt(reader.why());
  const Result<std::string> again = encode(value);
  if (!again) return corrupt(again.error().message());
  if (*again != bytes) return corrupt("not in its one form");
  return value;
}

}  // namespace observeai::wire::detail
