// Reads small kernel files again and again at low cost: one shared buffer, and descriptors that
// stay open (pread on a kept descriptor costs a third of open, read and close). Not for regular
// files that are replaced by renaming. One thread. A FileReader outlives its KeptFiles.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::agent {

// The content of a file, valid until the next read through the same FileReader.
struct FileText {
  std::string_view text;
  int error = 0;  // errno; EFBIG when longer than kMaxFileBytes
  explicit operator bool() const { return error == 0; }
};

class FileReader {
 public:
  // An open cgroup file holds about 5 KiB of kernel memory, and services start with a limit of 1024
  // descriptors: half of them for metrics, the rest is opened and closed for each read.
  static constexpr std::size_t kMaxKept = 512;
  // The largest sane files (net/udp, mounts) stay far below; beyond it a file is refused.
  static constexpr std::size_t kMaxFileBytes = 4U << 20;

  explicit FileReader(std::size_t max_kept = kMaxKept) : max_kept_(max_kept) {}

  // Opens, reads and closes.
  FileText read_once(const std::string& path);
  std::size_t kept() const { return kept_; }

 private:
  friend class KeptFile;
  FileText read_descriptor(int fd);

  std::vector<char> buffer_ = std::vector<char>(16U << 10);
  std::size_t max_kept_;
  std::size_t kept_ = 0;
};

class KeptFile {
 public:
  explicit KeptFile(std::string path) : path_(std::move(path)) {}
  ~KeptFile() { release(); }
  KeptFile(KeptFile&& other) noexcept;
  KeptFile& operator=(KeptFile&& other) noexcept;
  KeptFile(const KeptFile&) = delete;

  // A failed read closes the descriptor; the next one opens the path again.
  FileText read(FileReader& reader);
  const std::string& path() const { return path_; }

 private:
  void release();

  std::string path_;
  int fd_ = -1;
  FileReader* owner_ = nullptr;  // Whose count of kept descriptors includes fd_
};

}  // namespace observeai::agent
