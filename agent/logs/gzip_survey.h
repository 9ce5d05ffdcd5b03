// What a compressed file has to say about prints of files that were read, found in slices: to know
// whether it holds what was read it must be decoded up to there, which for gigabytes takes many
// seconds that the loop does not have.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/logs/file_tail.h"

namespace observeai::agent {

// Of one file, which is written once. One thread.
class GzipSurvey {
 public:
  // `file` is compressed; it is opened a second time, for a reader at another place.
  explicit GzipSurvey(const SeenFile& file);

  const FileKey& key() const { return key_; }
  // What is asked of it from now on. What was found of those that stay is kept.
  void ask(const std::vector<FilePrint>& prints);
  // Decodes on until `decoded`, to which it adds, is about max_bytes. True: all that was asked is found.
  bool advance(std::uint64_t max_bytes, std::uint64_t& decoded);
  bool complete() const { return heads_.empty() && tails_.empty(); }

  // As observe(); nullptr when this was not asked, or not found yet.
  const Observation* of(const FilePrint& print) const;
  // The bytes before print.extent or, when the content is shorter, before its end.
  std::optional<std::string> tail_of(const FilePrint& print) const;

 private:
  struct Asked {
    FilePrint print;
    Observation seen;
    std::string tail;
  };
  void look_at_head(Asked& asked);
  void look_at_tail(Asked& asked) const;
  bool waits(const FilePrint& print) const;
  Asked* asked(const FilePrint& print);

  FileKey key_;
  LogContent content_;
  std::vector<Asked> asked_;
  std::vector<FilePrint> heads_;  // Whose first lines are to be looked at
  std::vector<FilePrint> tails_;  // Whose ends are, the nearest last
};

}  // namespace observeai::agent
