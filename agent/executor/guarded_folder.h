// Files that nobody but their owner can have written: trust and policy. A folder that others may write
// to, a link in place of the folder or of a file, a file of another user: kDenied, with what to do.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "agent/executor/unique_fd.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

class GuardedFolder {
 public:
  // `owner` or root must own the folder, the one above it, and every file that is read. The one above
  // may be writable by all where its sticky bit keeps them from renaming. kNotFound: it is not there.
  static Result<GuardedFolder> open(const std::string& path, uid_t owner);

  // All of them, folders too, ascending. kLimit: more than `limit`.
  Result<std::vector<std::string>> names(std::size_t limit) const;
  // A plain file of one name in this folder. kLimit: longer than `limit` bytes.
  Result<std::string> read(const std::string& name, std::size_t limit) const;
  const std::string& path() const { return path_; }

 private:
  GuardedFolder(std::string path, uid_t owner, UniqueFd descriptor)
      : path_(std::move(path)), owner_(owner), descriptor_(std::move(descriptor)) {}

  std::string path_;
  uid_t owner_;
  UniqueFd descriptor_;
};

}  // namespace observeai::agent::executor
