#include "controlplane/signer/frames.h"

namespace observeai::controlplane::signer {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr auto kLastErrc = static_cast<std::uint8_t>(Errc::kInternal);

void put_length(std::string& out, std::size_t length) {
  for (unsigned shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>((length >> shift) & 0xFFU));
}

// `from` has kLengthBytes at least.
std::size_t get_length(std::string_view from) {
  std::size_t length = 0;
  for (std::size_t i = kLengthBytes; i > 0; --i)
    length = length << 8 | static_cast<std::uint8_t>(from[i - 1]);
  return length;
}

bool is_kind(std::uint8_t byte) {
  return (byte >= static_cast<std::uint8_t>(FrameKind::kSign) &&
          byte <= static_cast<std::uint8_t>(FrameKind::kStatus)) ||
         (byte >= static_cast<std::uint8_t>(FrameKind::kSigned) &&
          byte <= static_cast<std::uint8_t>(FrameKind::kError));
}

Error corrupt(const char* why) {
  return Error(Errc::kCorrupt, std::string("signer frame: ") + why);
}

}  // namespace

std::string encode_frame(FrameKind kind, std::string_view body) {
  std::string out;
  out.reserve(kLengthBytes + 1 + body.size());
  put_length(out, body.size() + 1);
  out.push_back(static_cast<char>(kind));
  out.append(body);
  return out;
}

Result<std::optional<Taken>> take_frame(std::string_view buffer) {
  if (buffer.size() < kLengthBytes) return std::optional<Taken>();
  const std::size_t length = get_length(buffer);
  if (length == 0) return corrupt("it is empty");
  if (length > kMaxFrameBytes) {
    return Error(Errc::kLimit, "signer frame of " + std::to_string(length) + " bytes is above " +
                                   std::to_string(kMaxFrameBytes));
  }
  if (buffer.size() > kLengthBytes && !is_kind(static_cast<std::uint8_t>(buffer[kLengthBytes])))
    return corrupt("there is no such kind");
  if (buffer.size() < kLengthBytes + length) return std::optional<Taken>();
  Taken taken;
  taken.frame.kind = static_cast<FrameKind>(buffer[kLengthBytes]);
  taken.frame.body = std::string(buffer.substr(kLengthBytes + 1, length - 1));
  taken.bytes = kLengthBytes + length;
  return std::optional<Taken>(std::move(taken));
}

std::string encode_list(const std::vector<std::string>& items) {
  std::size_t bytes = 0;
  for (const auto& item : items) bytes += kLengthBytes + item.size();
  std::string out;
  out.reserve(bytes);
  for (const auto& item : items) {
    put_length(out, item.size());
    out += item;
  }
  return out;
}

Result<std::vector<std::string>> decode_list(std::string_view body) {
  std::vector<std::string> items;
  while (!body.empty()) {
    if (body.size() < kLengthBytes) return corrupt("a list is cut");
    const std::size_t length = get_length(body);
    body.remove_prefix(kLengthBytes);
    if (length > body.size()) return corrupt("an item of a list is cut");
    items.emplace_back(body.substr(0, length));
    body.remove_prefix(length);
  }
  return items;
}

std::string encode_outcome(const Outcome& outcome) {
  if (outcome) return '\0' + *outcome;
  return static_cast<char>(static_cast<std::uint8_t>(outcome.error().code()) + 1) +
         outcome.error().message();
}

Result<Outcome> decode_outcome(std::string_view item) {
  if (item.empty()) return corrupt("an outcome is empty");
  const auto code = static_cast<std::uint8_t>(item[0]);
  std::string rest(item.substr(1));
  if (code == 0) return Outcome(std::move(rest));
  if (code - 1 > kLastErrc) return corrupt("an outcome has no such error");
  return Outcome(Error(static_cast<Errc>(code - 1), std::move(rest)));
}

}  // namespace observeai::controlplane::signer
