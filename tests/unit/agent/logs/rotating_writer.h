// Writes one log of oracle lines and rotates it as its row of the rotation matrix says, step by step.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "agent/logs/log_format.h"
#include "tests/unit/agent/logs/oracle_lines.h"

namespace observeai::test {

enum class Turn {
  kRenameCreate,     // logrotate: .1, .2 …
  kRenameLateClose,  // … while the writer goes on in the renamed file
  kCopyTruncate,     // logrotate copytruncate
  kDateGzip,         // logrotate dateext compress
  kUnlink,           // docker max-file=1
  kDockerCompress,   // docker max-file=3 compress=true
  kKubelet,          // <log>.<time>, older ones compressed
  kInodeReuse,       // Removed and created at once
  kSymlinkSwap,      // A link is moved on to the next file
  kReplaceShorter,   // Another file renamed over it
  kReplaceLonger,
  kReplaceEqual,
  kTruncateShorter,  // Truncated in place and written anew
  kTruncateLonger,
  kTruncateEqual,
};

class RotatingWriter {
 public:
  // Before a step after which bytes cannot be read any more; may let the agent read them.
  enum class Loss { kUnlinked, kTruncated };
  struct World {
    std::function<void()> pause;               // Between any two steps
    std::function<void()> wait;                // As pause, within the time a late writer takes
    std::function<void(Loss, int)> will_lose;  // The content of that file
  };

  RotatingWriter(std::string path, Turn turn, agent::LogFormat format, unsigned seed, World world);

  // `half`: the last line before a rotation has no newline.
  void set_half_lines(bool half) { half_lines_ = half; }
  // Lines of both streams in pieces that alternate. Not for plain logs.
  void set_partials(bool partials) { partials_ = partials; }

  void write_lines(int count);
  void rotate();
  void finish();  // What is open is complete

  OracleLines& out() { return out_; }
  OracleLines& err() { return err_; }
  bool truncates() const;

 private:
  using Names = std::vector<std::string>;
  void append(const std::string& path, const std::string& bytes);
  std::string entry(const std::string& text, bool complete, bool err);
  void write_line(const std::string& path);
  void write_pieces();
  void end_half_line();
  void create();
  void shift(int keep, bool compressed);
  void lose(Loss loss);
  void copy_truncate();
  void rename_late_close();
  void kubelet();
  void swap_link();
  void date_gzip();
  void docker_compress();
  void write_anew(const std::string& path, std::size_t bytes, int compare);
  void replace(int compare);
  void truncate(int compare);
  std::string dated(const char* separator);

  std::string path_;
  Turn turn_;
  agent::LogFormat format_;
  std::mt19937 random_;
  World world_;
  bool half_lines_ = false;
  bool partials_ = false;
  OracleLines out_{"out"};
  OracleLines err_{"err"};
  int file_ = 0;
  int rotations_ = 0;
  std::int64_t clock_ns_ = 0;
  std::string rest_of_out_;  // Pieces to come
  std::string rest_of_err_;
};

}  // namespace observeai::test
