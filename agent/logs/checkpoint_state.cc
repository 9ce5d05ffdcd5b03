#include "agent/logs/checkpoint_state.h"

#include <optional>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::string_view kFirstLine = "observeai-log 2";
constexpr std::size_t kMaxFiles = 256;
constexpr std::size_t kFixedLines = 2 + kLogStreams;  // Version, path; streams

std::string escape_path(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == '%' || byte == 0x7F) {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::optional<std::string> unescape_path(std::string_view escaped) {
  std::string out;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '%') {
      out.push_back(escaped[i]);
      continue;
    }
    if (i + 2 >= escaped.size()) return std::nullopt;
    const auto byte = text::from_hex(escaped.substr(i + 1, 2));
    if (!byte) return std::nullopt;
    out.push_back(static_cast<char>(byte->front()));
    i += 2;
  }
  return out;
}

Error damaged(const char* what) {
  return Error(Errc::kCorrupt, std::string("log checkpoint: ") + what);
}

// The fields from `first` on as numbers.
template <std::size_t N>
bool read_numbers(const std::vector<std::string_view>& fields, std::size_t first,
                  std::array<std::uint64_t, N>& out) {
  if (fields.size() != first + N) return false;
  for (std::size_t i = 0; i < N; ++i) {
    const auto value = text::parse_u64(fields[first + i]);
    if (!value) return false;
    out[i] = *value;
  }
  return true;
}

Result<FilePrint> parse_print(const std::vector<std::string_view>& fields, std::size_t first) {
  std::array<std::uint64_t, 8> n{};
  if (!read_numbers(fields, first, n)) return damaged("file line");
  FilePrint print;
  print.key = {n[0], n[1], static_cast<std::int64_t>(n[2])};
  print.extent = n[3];
  print.head_bytes = n[4];
  print.head = n[5];
  print.tail_bytes = static_cast<std::uint32_t>(n[6]);
  print.tail = n[7];
  const bool tail_fits = n[6] <= kTailBytes && n[6] <= print.extent;
  if (print.extent > INT64_MAX || print.head_bytes > print.extent || !tail_fits) {
    return damaged("file line out of range");
  }
  return print;
}

// A "read" or a "file" line.
Result<void> parse_known(const std::vector<std::string_view>& fields, CheckpointState& state) {
  if (fields[0] == "read" && state.files.empty()) {
    if (state.read_before.size() == kMaxReadBefore) return damaged("too many files");
    TRY(state.read_before.emplace_back(), parse_print(fields, 1));
    return {};
  }
  if (fields[0] != "file" || fields.size() < 2) return damaged("file line");
  const auto number = text::parse_u64(fields[1]);
  if (!number) return damaged("file line");
  if (!state.files.empty() && *number <= state.files.back().number) return damaged("file order");
  TRY(const auto print, parse_print(fields, 2));
  state.files.push_back({*number, print});
  return {};
}

Result<StreamState> parse_stream(const std::vector<std::string_view>& fields,
                                 std::size_t expected) {
  std::array<std::uint64_t, 4> n{};
  if (!read_numbers(fields, 1, n) || n[0] != expected) return damaged("stream line");
  if (n[2] > INT64_MAX || n[3] > UINT32_MAX) return damaged("stream line out of range");
  return StreamState{{n[1], n[2]}, static_cast<std::uint32_t>(n[3])};
}

}  // namespace

std::string encode_checkpoint(const CheckpointState& state) {
  std::string out(kFirstLine);
  out += "\npath ";
  out += escape_path(state.path);
  const auto add = [&out](auto value) {
    out += ' ';
    out += std::to_string(value);
  };
  const auto add_print = [&](const FilePrint& print) {
    add(print.key.device);
    add(print.key.inode);
    add(static_cast<std::uint64_t>(print.key.birth_ns));
    add(print.extent);
    add(print.head_bytes);
    add(print.head);
    add(print.tail_bytes);
    add(print.tail);
  };
  for (const auto& print : state.read_before) {
    out += "\nread";
    add_print(print);
  }
  for (const auto& [number, print] : state.files) {
    out += "\nfile";
    add(number);
    add_print(print);
  }
  for (std::size_t i = 0; i < kLogStreams; ++i) {
    out += "\nstream";
    add(i);
    add(state.streams[i].position.file);
    add(state.streams[i].position.offset);
    add(state.streams[i].key_lines_left);
  }
  out += "\nend\n";
  return out;
}

Result<CheckpointState> parse_checkpoint(std::string_view text) {
  if (text.size() > kMaxCheckpointBytes) return damaged("too long");
  if (!text.ends_with("\nend\n")) return damaged("incomplete");
  text.remove_suffix(5);
  const auto lines = text::split(text, '\n');
  if (lines.size() < kFixedLines || lines[0] != kFirstLine) return damaged("unknown version");
  if (lines.size() > kFixedLines + kMaxReadBefore + kMaxFiles) return damaged("too many files");
  CheckpointState state;
  if (!lines[1].starts_with("path ")) return damaged("path line");
  auto path = unescape_path(lines[1].substr(5));
  if (!path || path->empty()) return damaged("path line");
  state.path = std::move(*path);
  for (std::size_t i = 2; i < lines.size(); ++i) {
    const auto fields = text::split(lines[i], ' ');
    const auto stream = i + kLogStreams;
    if (stream < lines.size()) {
      TRY_VOID(parse_known(fields, state));
      continue;
    }
    const auto index = stream - lines.size();
    if (fields[0] != "stream") return damaged("stream line");
    TRY(state.streams[index], parse_stream(fields, index));
  }
  return state;
}

}  // namespace observeai::agent
