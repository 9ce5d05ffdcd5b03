#include "agent/logs/checkpoint_state.h"

#include <optional>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::string_view kFirstLine = "observeai-log 1";
constexpr std::size_t kMaxFiles = 256;
constexpr std::size_t kFixedLines = 3 + kLogStreams;  // Version, path, drained; streams

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

// All fields after the first word as numbers.
template <std::size_t N>
bool read_numbers(const std::vector<std::string_view>& fields, std::array<std::uint64_t, N>& out) {
  if (fields.size() != N + 1) return false;
  for (std::size_t i = 0; i < N; ++i) {
    const auto value = text::parse_u64(fields[i + 1]);
    if (!value) return false;
    out[i] = *value;
  }
  return true;
}

Result<CheckpointFile> parse_file(const std::vector<std::string_view>& fields) {
  std::array<std::uint64_t, 9> n{};
  if (!read_numbers(fields, n)) return damaged("file line");
  CheckpointFile file;
  file.number = n[0];
  file.print.key = {n[1], n[2], static_cast<std::int64_t>(n[3])};
  file.print.extent = n[4];
  file.print.head_bytes = static_cast<std::uint32_t>(n[5]);
  file.print.head = n[6];
  file.print.tail_bytes = static_cast<std::uint32_t>(n[7]);
  file.print.tail = n[8];
  if (n[4] > INT64_MAX || n[5] > kHeadBytes || n[7] > kTailBytes || n[5] > n[4] || n[7] > n[4]) {
    return damaged("file line out of range");
  }
  return file;
}

Result<StreamState> parse_stream(const std::vector<std::string_view>& fields,
                                 std::size_t expected) {
  std::array<std::uint64_t, 4> n{};
  if (!read_numbers(fields, n) || n[0] != expected) return damaged("stream line");
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
  out += "\ndrained";
  add(static_cast<std::uint64_t>(state.drained_birth_ns));
  for (const auto& [number, print] : state.files) {
    out += "\nfile";
    add(number);
    add(print.key.device);
    add(print.key.inode);
    add(static_cast<std::uint64_t>(print.key.birth_ns));
    add(print.extent);
    add(print.head_bytes);
    add(print.head);
    add(print.tail_bytes);
    add(print.tail);
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
  if (lines.size() > kFixedLines + kMaxFiles) return damaged("too many files");
  CheckpointState state;
  if (!lines[1].starts_with("path ")) return damaged("path line");
  auto path = unescape_path(lines[1].substr(5));
  if (!path || path->empty()) return damaged("path line");
  state.path = std::move(*path);
  const auto drained = text::split(lines[2], ' ');
  std::array<std::uint64_t, 1> birth{};
  if (drained[0] != "drained" || !read_numbers(drained, birth)) return damaged("drained line");
  state.drained_birth_ns = static_cast<std::int64_t>(birth[0]);
  for (std::size_t i = 3; i < lines.size(); ++i) {
    const auto fields = text::split(lines[i], ' ');
    const auto stream = i + kLogStreams;
    if (stream < lines.size()) {
      if (fields[0] != "file") return damaged("file line");
      TRY(auto file, parse_file(fields));
      if (!state.files.empty() && file.number <= state.files.back().number)
        return damaged("file order");
      state.files.push_back(file);
    } else {
      const auto index = stream - lines.size();
      if (fields[0] != "stream") return damaged("stream line");
      TRY(state.streams[index], parse_stream(fields, index));
    }
  }
  return state;
}

}  // namespace observeai::agent
