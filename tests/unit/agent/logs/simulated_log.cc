#include "tests/unit/agent/logs/simulated_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "protocol/base/text.h"

namespace observeai::test {
namespace {

namespace fs = std::filesystem;

std::string json_escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", byte);
      out += code;
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

SimulatedLog::SimulatedLog(std::string path, Rotation rotation, int max_files, unsigned seed,
                           std::function<void()> pause)
    : path_(std::move(path)),
      rotation_(rotation),
      max_files_(max_files),
      random_(seed),
      pause_(std::move(pause)),
      piece_bytes_(seed % 3 == 0 ? 16384 : 40) {
  files_.push_front(next_file_++);
  append("");
  if (rotation == Rotation::kCopyTruncate) pass_birth_tick();
}

// Copies are told from renamed files by their birth time; the clock of the file system ticks
// slowly.
void SimulatedLog::pass_birth_tick() {
  const auto birth = [](const std::string& path) {
    struct statx found {};
    ::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &found);
    return std::pair(found.stx_btime.tv_sec, found.stx_btime.tv_nsec);
  };
  const auto probe = path_ + "-probe";
  do {
    fs::remove(probe);
    std::ofstream(probe) << "x";
  } while (birth(probe) == birth(path_));
  fs::remove(probe);
}

void SimulatedLog::append(const std::string& bytes) {
  std::ofstream file(path_, std::ios::binary | std::ios::app);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string SimulatedLog::random_text(std::size_t size) {
  static const std::string alphabet("abcdefgh ij\"\\\t{}[]:,\0\x01\xff\xc3\xa9", 23);
  std::string out;
  while (out.size() < size) out.push_back(alphabet[random_() % alphabet.size()]);
  return out;
}

void SimulatedLog::write_some() {
  const auto dice = random_() % 100;
  if (dice < 3) {  // Damaged
    const auto text =
        "<" + std::to_string(count_++) + ">damaged {\"log\":\"" + std::string(random_() % 30, 'x');
    lines_[3].push_back({{{text, files_.front(), between_copy_and_truncate_}}, true});
    append(text + "\n");
    return;
  }
  const auto stream = random_() % 3 == 0 ? wire::LogStream::kStderr : wire::LogStream::kStdout;
  write_piece(stream, random_() % 3 != 0);
}

void SimulatedLog::write_piece(wire::LogStream stream, bool last) {
  auto& lines = lines_[static_cast<int>(stream)];
  if (lines.empty() || lines.back().finished) lines.emplace_back();
  // Every piece begins with a number of its own: pieces are told apart.
  std::string text = "<" + std::to_string(count_++) + ">";
  text += random_text(last ? random_() % piece_bytes_ : piece_bytes_);
  lines.back().pieces.push_back({text, files_.front(), between_copy_and_truncate_});
  lines.back().finished = last;
  clock_ns_ += 1'000'003;
  const auto entry = R"({"log":")" + json_escape(text) + (last ? "\\n" : "") + R"(","stream":")" +
                     (stream == wire::LogStream::kStdout ? "stdout" : "stderr") +
                     R"(","time":"2026-11-21T07:45:)" +
                     std::to_string(10 + clock_ns_ / 1'000'000'000 % 50) + "." +
                     std::to_string(100'000'000 + clock_ns_ % 900'000'000) + R"(Z"})" + "\n";
  if (random_() % 5 == 0) {  // In two writes
    const auto cut = random_() % entry.size();
    append(entry.substr(0, cut));
    pause_();
    append(entry.substr(cut));
  } else {
    append(entry);
  }
}

void SimulatedLog::finish_lines() {
  for (const auto stream : {wire::LogStream::kStdout, wire::LogStream::kStderr}) {
    const auto& lines = lines_[static_cast<int>(stream)];
    if (!lines.empty() && !lines.back().finished) write_piece(stream, true);
  }
}

// .1 -> .2 …; the oldest goes.
void SimulatedLog::shift_files() {
  const auto name = [&](int n) { return path_ + "." + std::to_string(n); };
  const auto last = max_files_ - 1;
  if (static_cast<int>(files_.size()) > last && fs::exists(name(last))) {
    fs::remove(name(last));
    vanished_.insert(files_.back());
    files_.pop_back();
    pause_();
  }
  for (int n = last - 1; n >= 1; --n) {
    if (!fs::exists(name(n))) continue;
    fs::rename(name(n), name(n + 1));
    pause_();
  }
}

void SimulatedLog::copy_truncate() {
  shift_files();
  // Half of the copy, then all of it.
  std::string content;
  {
    std::ifstream in(path_, std::ios::binary);
    content.assign(std::istreambuf_iterator<char>(in), {});
  }
  const auto half = random_() % (content.size() + 1);
  std::ofstream copy(path_ + ".1", std::ios::binary);
  copy.write(content.data(), static_cast<std::streamsize>(half));
  copy.flush();
  pause_();
  copy.write(content.data() + half, static_cast<std::streamsize>(content.size() - half));
  copy.close();
  pause_();
  between_copy_and_truncate_ = true;
  for (auto n = random_() % 3; n > 0; --n) write_some();
  between_copy_and_truncate_ = false;
  files_.push_front(next_file_++);
  fs::resize_file(path_, 0);
}

void SimulatedLog::rotate() {
  if (rotation_ == Rotation::kCopyTruncate) {
    copy_truncate();
  } else if (rotation_ == Rotation::kUnlink) {
    fs::remove(path_);
    vanished_.insert(files_.front());
    files_.clear();
    pause_();
    files_.push_front(next_file_++);
    append("");
  } else {
    shift_files();
    fs::rename(path_, path_ + ".1");
    pause_();
    files_.push_front(next_file_++);
    append("");
  }
  pause_();
}

void SimulatedLog::excuse_vanished() {
  for (auto& lines : lines_) {
    for (auto& line : lines) {
      for (auto& piece : line.pieces)
        piece.excused = piece.excused || vanished_.contains(piece.file);
    }
  }
}

// Is `text` begun by a piece at or after lines[line].pieces[piece]?
static bool any_from(const std::deque<ExpectedLine>& lines, std::size_t line, std::size_t piece,
                     std::string_view text) {
  for (; line < lines.size(); ++line, piece = 0) {
    for (; piece < lines[line].pieces.size(); ++piece) {
      if (text.starts_with(lines[line].pieces[piece].text)) return true;
    }
  }
  return false;
}

Comparison compare(const SimulatedLog& log, const std::vector<wire::LogRecord>& records) {
  Comparison out;
  const auto problem = [&](const std::string& what, const std::string& text) {
    if (out.problems.size() < 6)
      out.problems.push_back(what + ": " + text::escape_unprintable(text, 300));
  };
  for (const auto stream :
       {wire::LogStream::kStdout, wire::LogStream::kStderr, wire::LogStream::kOther}) {
    const auto& lines = log.lines(stream);
    std::size_t line = 0;  // Where the next record is expected
    std::size_t piece = 0;
    const auto pass_missing = [&] {
      if (!lines[line].pieces[piece].excused) problem("never came", lines[line].pieces[piece].text);
      ++out.missing;
    };
    for (const auto& record : records) {
      if (record.stream != stream) continue;
      std::string_view rest = record.text;
      bool begun = false;
      while (!rest.empty() && line < lines.size()) {
        if (!any_from(lines, line, piece, rest)) break;
        const auto& pieces = lines[line].pieces;
        if (rest.starts_with(pieces[piece].text)) {
          rest.remove_prefix(pieces[piece].text.size());
          begun = true;
        } else {
          pass_missing();
        }
        if (++piece < pieces.size()) continue;
        piece = 0;
        ++line;
        if (begun) break;  // A record holds one line
      }
      if (!rest.empty()) {
        problem(line < lines.size() ? "twice, out of order, or joined wrongly"
                                    : "nothing more was written",
                record.text);
        break;
      }
      const bool split = piece != 0 && piece < lines[line].pieces.size();
      const bool marked = (record.flags & wire::log_flags::kUnterminated) != 0;
      const bool rest_excused = split && lines[line].pieces[piece].excused;
      if (split && !rest_excused && !(log.splits_lines() && marked)) problem("split", record.text);
    }
    for (; line < lines.size(); piece = 0, ++line) {
      for (; piece < lines[line].pieces.size(); ++piece) pass_missing();
    }
  }
  return out;
}

}  // namespace observeai::test
