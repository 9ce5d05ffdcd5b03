#include "tests/unit/agent/logs/rotating_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/unit/agent/logs/gzip_file.h"

namespace observeai::test {
namespace {

namespace fs = std::filesystem;
using agent::LogFormat;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void compress(const std::string& path) {
  write_gzip(path + ".gz", content_of(path));
  fs::remove(path);
}

std::pair<std::int64_t, std::uint32_t> birth_of(const std::string& path) {
  struct statx found {};
  ::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &found);
  return {found.stx_btime.tv_sec, found.stx_btime.tv_nsec};
}

// Copies are told from renamed files by their birth; the file system's clock ticks slowly.
void pass_birth_tick(const std::string& path) {
  const auto probe = path + "-probe";
  do {
    fs::remove(probe);
    std::ofstream(probe) << "x";
  } while (birth_of(probe) == birth_of(path));
  fs::remove(probe);
}

}  // namespace

RotatingWriter::RotatingWriter(std::string path, Turn turn, LogFormat format, unsigned seed,
                               World world)
    : path_(std::move(path)),
      turn_(turn),
      format_(format),
      random_(seed),
      world_(std::move(world)) {
  if (turn_ == Turn::kSymlinkSwap) {
    swap_link();
  } else {
    create();
  }
  if (truncates()) pass_birth_tick(path_);
}

bool RotatingWriter::truncates() const {
  return turn_ == Turn::kCopyTruncate || turn_ >= Turn::kTruncateShorter;
}

void RotatingWriter::append(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

void RotatingWriter::create() {
  append(path_, "");
  world_.pause();
}

std::string RotatingWriter::entry(const std::string& text, bool complete, bool err) {
  if (format_ == LogFormat::kPlain) return text + (complete ? "\n" : "");
  clock_ns_ += 1'000'003;
  const auto second = 10 + clock_ns_ / 1'000'000'000 % 50;
  const auto time = "2026-11-21T07:45:" + std::to_string(second) + "." +
                    std::to_string(100'000'000 + clock_ns_ % 900'000'000) + "Z";
  const std::string stream = err ? "stderr" : "stdout";
  if (format_ == LogFormat::kCri)
    return time + " " + stream + (complete ? " F " : " P ") + text + "\n";
  return R"({"log":")" + text + (complete ? "\\n" : "") + R"(","stream":")" + stream +
         R"(","time":")" + time + "\"}\n";
}

void RotatingWriter::write_line(const std::string& path) {
  const bool err = format_ != LogFormat::kPlain && random_() % 3 == 0;
  const auto text = (err ? err_ : out_).next(file_, random_() % 120);
  const auto bytes = entry(text, true, err);
  if (random_() % 4 == 0) {  // In two writes
    const auto cut = random_() % bytes.size();
    append(path, bytes.substr(0, cut));
    world_.wait();
    append(path, bytes.substr(cut));
  } else {
    append(path, bytes);
  }
}

// One piece of either stream.
void RotatingWriter::write_pieces() {
  const bool err = random_() % 2 == 0;
  auto& rest = err ? rest_of_err_ : rest_of_out_;
  if (rest.empty()) rest = (err ? err_ : out_).next(file_, 40 + random_() % 200);
  const auto size = std::min<std::size_t>(rest.size(), 1 + random_() % 60);
  append(path_, entry(rest.substr(0, size), size == rest.size(), err));
  rest.erase(0, size);
}

void RotatingWriter::write_lines(int count) {
  for (int i = 0; i < count; ++i) {
    partials_ ? write_pieces() : write_line(path_);
    world_.pause();
  }
}

void RotatingWriter::finish() {
  for (const bool err : {false, true}) {
    auto& rest = err ? rest_of_err_ : rest_of_out_;
    if (!rest.empty()) append(path_, entry(rest, true, err));
    rest.clear();
  }
}

void RotatingWriter::end_half_line() {
  if (half_lines_) append(path_, out_.next(file_, 30));
  world_.pause();
}

void RotatingWriter::lose(Loss loss) {
  world_.will_lose(loss, file_);
}

// .1 -> .2 …; what is beyond `keep` rotated files goes.
void RotatingWriter::shift(int keep, bool compressed) {
  const auto name = [&](int n) {
    return path_ + "." + std::to_string(n) + (compressed ? ".gz" : "");
  };
  if (fs::exists(name(keep))) {
    world_.will_lose(Loss::kUnlinked, file_ - keep);
    fs::remove(name(keep));
  }
  for (int n = keep - 1; n >= 1; --n) {
    if (fs::exists(name(n))) fs::rename(name(n), name(n + 1));
    world_.pause();
  }
}

std::string RotatingWriter::dated(const char* separator) {
  return path_ + separator + std::to_string(20261101 + rotations_);
}

void RotatingWriter::rotate() {
  end_half_line();
  ++rotations_;
  switch (turn_) {
    case Turn::kRenameCreate:
      shift(20, false);
      fs::rename(path_, path_ + ".1");
      world_.pause();
      ++file_;
      create();
      break;
    case Turn::kRenameLateClose:
      rename_late_close();
      break;
    case Turn::kCopyTruncate:
      copy_truncate();
      break;
    case Turn::kDateGzip:
      date_gzip();
      break;
    case Turn::kUnlink:
    case Turn::kInodeReuse:
      lose(Loss::kUnlinked);
      fs::remove(path_);
      if (turn_ == Turn::kUnlink) world_.pause();
      ++file_;
      create();
      break;
    case Turn::kDockerCompress:
      docker_compress();
      break;
    case Turn::kKubelet:
      kubelet();
      break;
    case Turn::kSymlinkSwap:
      ++file_;
      swap_link();
      break;
    case Turn::kReplaceShorter:
    case Turn::kReplaceLonger:
    case Turn::kReplaceEqual:
      replace(static_cast<int>(turn_) - static_cast<int>(Turn::kReplaceShorter));
      break;
    case Turn::kTruncateShorter:
    case Turn::kTruncateLonger:
    case Turn::kTruncateEqual:
      truncate(static_cast<int>(turn_) - static_cast<int>(Turn::kTruncateShorter));
      break;
  }
  world_.pause();
}

void RotatingWriter::rename_late_close() {
  shift(20, false);
  fs::rename(path_, path_ + ".1");
  world_.wait();
  write_line(path_ + ".1");
  world_.wait();
  append(path_, "");
  world_.wait();
  write_line(path_ + ".1");
  ++file_;
  world_.wait();
  append(path_, out_.next(file_, 20) + "\n");
  world_.wait();
  --file_;
  write_line(path_ + ".1");
  ++file_;
  world_.wait();
}

void RotatingWriter::copy_truncate() {
  shift(20, false);
  const auto content = content_of(path_);
  std::ofstream copy(path_ + ".1", std::ios::binary);
  copy << content.substr(0, content.size() / 2) << std::flush;
  world_.pause();
  copy << content.substr(content.size() / 2) << std::flush;
  copy.close();
  world_.pause();
  const auto first_between = out_.written();
  for (auto n = random_() % 3; n > 0; --n) append(path_, out_.next(file_, 10) + "\n");
  out_.excuse_from(first_between);
  fs::resize_file(path_, 0);
  ++file_;
}

void RotatingWriter::date_gzip() {
  const auto name = dated("-");
  fs::rename(path_, name);
  world_.pause();
  ++file_;
  create();
  write_gzip(name + ".gz", content_of(name));  // Both are there for a while
  world_.pause();
  fs::remove(name);
}

void RotatingWriter::docker_compress() {
  shift(2, true);
  fs::rename(path_, path_ + ".1");
  world_.pause();
  ++file_;
  create();
  write_gzip(path_ + ".1.gz", content_of(path_ + ".1"));
  world_.pause();
  fs::remove(path_ + ".1");
}

void RotatingWriter::kubelet() {
  const auto before = path_ + "." + std::to_string(20261100 + rotations_) + "-074500";
  if (fs::exists(before)) compress(before);
  world_.pause();
  fs::rename(path_, path_ + "." + std::to_string(20261101 + rotations_) + "-074500");
  world_.pause();
  ++file_;
  create();
}

void RotatingWriter::swap_link() {
  const auto name = "app-" + std::to_string(100 + file_) + ".log";
  const auto target = fs::path(path_).parent_path() / name;
  append(target, "");
  world_.pause();
  fs::create_symlink(name, path_ + "-next");
  fs::rename(path_ + "-next", path_);
}

// Shorter than `bytes` (compare 0), longer (1), or equal (2).
void RotatingWriter::write_anew(const std::string& path, std::size_t bytes, int compare) {
  if (compare == 0) {
    append(path, out_.next(file_, 1) + "\n");
    return;
  }
  const auto line = out_.fixed_bytes() + 1;
  std::size_t left = bytes + (compare == 1 ? 500 : 0);
  while (left >= 3 * line) {
    append(path, out_.next(file_, 20) + "\n");
    left -= line + 20;
  }
  while (left < line) left += line;  // Only when nothing was written before
  append(path, out_.next(file_, left - line) + "\n");
}

void RotatingWriter::replace(int compare) {
  lose(Loss::kUnlinked);
  const auto bytes = fs::file_size(path_);
  ++file_;
  append(path_ + "-new", "");
  write_anew(path_ + "-new", bytes, compare);
  fs::rename(path_ + "-new", path_);
}

void RotatingWriter::truncate(int compare) {
  lose(Loss::kTruncated);
  const auto bytes = fs::file_size(path_);
  ++file_;
  fs::resize_file(path_, 0);
  write_anew(path_, bytes, compare);
}

}  // namespace observeai::test
