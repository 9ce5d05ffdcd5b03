#include "agent/executor/frames.h"

#include <algorithm>
#include <array>

#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kLengthBytes = 4;

void put_length(std::string& out, std::size_t length) {
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    out.push_back(static_cast<char>((length >> (8 * i)) & 0xff));
}

std::size_t length_at(std::string_view bytes) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    length |= static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  return length;
}

bool is_kind(std::uint8_t kind) {
  return (kind >= static_cast<std::uint8_t>(FrameKind::kStatus) &&
          kind <= static_cast<std::uint8_t>(FrameKind::kSpooled)) ||
         (kind >= static_cast<std::uint8_t>(FrameKind::kStatusReply) &&
          kind <= static_cast<std::uint8_t>(FrameKind::kError));
}

Result<wire::Bytes16> bytes16_of(const std::string& text) {
  wire::Bytes16 out{};
  if (text.size() != out.size()) return Error(Errc::kCorrupt, "status: 16 bytes are wanted");
  std::copy(text.begin(), text.end(), out.begin());
  return out;
}

Result<std::uint64_t> number_of(const std::string& text) {
  const auto number = text::parse_u64(text);
  if (!number || std::to_string(*number) != text)
    return Error(Errc::kCorrupt, "status: a number is wanted");
  return *number;
}

}  // namespace

std::string encode_frame(const Frame& frame) {
  std::string out;
  out.reserve(kLengthBytes + 1 + frame.body.size());
  put_length(out, 1 + frame.body.size());
  out.push_back(static_cast<char>(frame.kind));
  return out += frame.body;
}

Result<std::optional<Taken>> take_frame(std::string_view buffer) {
  if (buffer.size() < kLengthBytes) return std::optional<Taken>();
  const std::size_t length = length_at(buffer);
  if (length == 0) return Error(Errc::kCorrupt, "a frame without a kind");
  if (length > kMaxFrameBytes)
    return Error(Errc::kLimit, "a frame of " + std::to_string(length) + " bytes, at most " +
                                   std::to_string(kMaxFrameBytes) + " are taken");
  if (buffer.size() < kLengthBytes + 1) return std::optional<Taken>();
  const auto kind = static_cast<std::uint8_t>(buffer[kLengthBytes]);
  if (!is_kind(kind))
    return Error(Errc::kCorrupt, "a frame of the unknown kind " + std::to_string(kind));
  if (buffer.size() < kLengthBytes + length) return std::optional<Taken>();
  Taken taken;
  taken.frame.kind = static_cast<FrameKind>(kind);
  taken.frame.body = std::string(buffer.substr(kLengthBytes + 1, length - 1));
  taken.bytes = kLengthBytes + length;
  return std::optional<Taken>(std::move(taken));
}

std::string encode_list(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) {
    put_length(out, item.size());
    out += item;
  }
  return out;
}

Result<std::vector<std::string>> decode_list(std::string_view body) {
  std::vector<std::string> items;
  while (!body.empty()) {
    if (body.size() < kLengthBytes) return Error(Errc::kCorrupt, "a list that is cut off");
    const std::size_t length = length_at(body);
    body.remove_prefix(kLengthBytes);
    if (length > body.size()) return Error(Errc::kCorrupt, "a list that is cut off");
    items.emplace_back(body.substr(0, length));
    body.remove_prefix(length);
  }
  return items;
}

std::string encode_status(const Status& status) {
  return encode_list({std::string(text::as_text(status.session)),
                      std::string(text::as_text(status.time_challenge)),
                      std::to_string(status.command_seq), std::to_string(status.root_version),
                      status.policy_hash, status.state});
}

Result<Status> decode_status(std::string_view body) {
  constexpr std::size_t kFields = 6;
  constexpr std::size_t kHashDigits = 64;
  TRY(const auto items, decode_list(body));
  if (items.size() != kFields) return Error(Errc::kCorrupt, "status: six fields are wanted");
  Status status;
  TRY(status.session, bytes16_of(items[0]));
  TRY(status.time_challenge, bytes16_of(items[1]));
  TRY(status.command_seq, number_of(items[2]));
  TRY(status.root_version, number_of(items[3]));
  status.policy_hash = items[4];
  status.state = items[5];
  const auto hash = text::from_hex(status.policy_hash);
  if (!status.policy_hash.empty() && (!hash || status.policy_hash.size() != kHashDigits))
    return Error(Errc::kCorrupt, "status: a sha256 is wanted");
  if (!text::is_valid_utf8(status.state)) return Error(Errc::kCorrupt, "status: not a text");
  return status;
}

}  // namespace observeai::agent::executor
