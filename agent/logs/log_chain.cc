#include "agent/logs/log_chain.h"

#include <algorithm>
#include <optional>

namespace observeai::agent {
namespace {

constexpr std::size_t kNowhere = ~std::size_t{0};

LogNote gap_note(const std::string& path, const FilePrint& print) {
  LogNote note;
  note.kind = "logs.gap";
  note.message = "a file of " + path + " that was being read is gone; what it held after byte " +
                 std::to_string(print.extent) + ", and files after it, if any, are lost";
  note.attributes = {{"inode", std::to_string(print.key.inode)},
                     {"offset", std::to_string(print.extent)},
                     {"path", path}};
  return note;
}

LogNote misplaced_note(const TailFile& file, std::uint64_t size) {
  LogNote note;
  note.kind = "logs.gap";
  note.message = file.path() + " was renamed among older files before it was read; its " +
                 std::to_string(size) + " bytes are lost";
  note.attributes = {{"bytes", std::to_string(size)}, {"path", file.path()}};
  return note;
}

std::size_t index_of(const std::vector<SeenFile>& seen, const FileKey& key) {
  const auto found = std::find_if(seen.begin(), seen.end(),
                                  [&](const SeenFile& file) { return file.facts.key == key; });
  return found == seen.end() ? kNowhere : static_cast<std::size_t>(found - seen.begin());
}

}  // namespace

LogNote truncated_note(const std::string& path, std::uint64_t extent, bool copy_found) {
  LogNote note;
  note.kind = "logs.truncated";
  note.message =
      path + " was truncated after " + std::to_string(extent) + " bytes were read; " +
      (copy_found
           ? "reading goes on in its copy; lines written between copying and truncating are lost"
           : "lines that were not committed before are lost");
  note.attributes = {{"copy_found", copy_found ? "true" : "false"},
                     {"offset", std::to_string(extent)},
                     {"path", path}};
  return note;
}

// ---- looking up --------------------------------------------------------------------------------

TailFile* LogChain::find(std::uint64_t number) {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const TailFile& file) { return file.number() == number; });
  return found == files_.end() ? nullptr : &*found;
}

TailFile* LogChain::after(std::uint64_t number) {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const TailFile& file) { return file.number() > number; });
  return found == files_.end() ? nullptr : &*found;
}

bool LogChain::lost_between(std::uint64_t from, std::uint64_t to) const {
  const auto lost = lost_.lower_bound(from);
  return lost != lost_.end() && *lost < to;
}

std::vector<FilePrint> LogChain::prints() const {
  auto out = read_before_;
  for (const auto& file : files_) {
    if (file.touched()) out.push_back(file.print());
  }
  return out;
}

bool LogChain::knows_compressed(const FileKey& key) const {
  return touched(key) ||
         std::find(read_compressed_.begin(), read_compressed_.end(), key) != read_compressed_.end();
}

// ---- what is on disk ---------------------------------------------------------------------------

bool LogChain::attach(const CheckpointState& state, std::vector<SeenFile> seen, LogNotes& notes) {
  read_before_ = state.read_before;
  auto lowest = state.streams.front().position;
  for (const auto& stream : state.streams) {
    lowest = std::min(lowest, stream.position);
    last_number_ = std::max(last_number_, stream.position.file);
  }
  bool between_files = true;
  std::optional<FilePrint> next;  // What was to be read next, or was read last
  if (!read_before_.empty()) next = read_before_.back();
  for (const auto& file : state.files) {
    last_number_ = std::max(last_number_, file.number);
    if (file.number >= lowest.file && file.print.extent > 0) {
      recover({file.number, state.path, file.print}, seen, notes);
      between_files = false;
      continue;
    }
    if (file.print.extent > 0) remember(file.print);
    next = file.print;
  }
  // Nothing was missed when the oldest file is the one that was to be read next, or was read.
  const bool missed =
      between_files && next && first_unread(seen) == 0 && index_of(seen, next->key) != 0;
  place(std::move(seen), {}, notes);
  if (missed && !files_.empty()) notes.push_back(gap_note(state.path, *next));
  return !files_.empty();
}

void LogChain::reconcile(std::vector<SeenFile> seen, LogNotes& notes) {
  const auto touched_end = std::find_if(files_.begin(), files_.end(),
                                        [](const TailFile& file) { return !file.touched(); });
  std::vector<TailFile> waiting(std::make_move_iterator(touched_end),
                                std::make_move_iterator(files_.end()));
  files_.erase(touched_end, files_.end());
  for (const auto& missing : take_truncated(waiting)) recover(missing, seen, notes);
  place(std::move(seen), std::move(waiting), notes);
}

// Touched files that do not hold what was read; they wait, as new, before all others.
std::vector<LogChain::Missing> LogChain::take_truncated(std::vector<TailFile>& waiting) {
  std::vector<Missing> missing;
  std::vector<TailFile> intact;
  for (auto& file : files_) {
    if (file.holds_content()) {
      intact.push_back(std::move(file));
      continue;
    }
    missing.push_back({file.number(), file.path(), file.print()});
    file.restart();
    waiting.insert(waiting.begin(), std::move(file));
  }
  files_ = std::move(intact);
  return missing;
}

void LogChain::recover(const Missing& missing, std::vector<SeenFile>& seen, LogNotes& notes) {
  const auto& print = missing.print;
  const auto found = find_content(seen, print);
  if (found == kNowhere) {
    lost_.insert(missing.number);
    const bool truncated = index_of(seen, print.key) != kNowhere;
    notes.push_back(truncated ? truncated_note(missing.path, print.extent, false)
                              : gap_note(missing.path, print));
    return;
  }
  const bool compressed = seen[found].content.compressed();
  // Compressing a rotated file is no loss; only the file itself, cut and still there, tells of one.
  const bool itself =
      compressed ? index_of(seen, print.key) == kNowhere || seen[found].facts.key == print.key
                 : is_same_file(seen[found].facts.key, print.key) &&
                       seen[found].facts.size >= print.extent;
  const auto place = std::find_if(files_.begin(), files_.end(), [&](const TailFile& file) {
    return file.number() > missing.number;
  });
  const auto file = files_.emplace(place, std::move(seen[found]), missing.number, print);
  if (itself) return;
  file->truncation_reported = true;
  notes.push_back(truncated_note(missing.path, print.extent, true));
}

// Where `print` can be read on: in the newest file that holds all of it; else in the oldest one
// that ends before and was not read otherwise.
std::size_t LogChain::find_content(const std::vector<SeenFile>& seen, const FilePrint& print) {
  std::size_t begins = kNowhere;
  for (auto i = seen.size(); i-- > 0;) {
    if (!seen[i].content || touched(seen[i].facts.key)) continue;
    const auto verdict = decide(print, seen[i]);
    if (verdict == Verdict::kHolds) return i;
    const bool may_be_copy = unique_heads_ || (!seen[i].live && seen[i].facts.key != print.key);
    if (verdict == Verdict::kBegins && may_be_copy && !was_read(seen[i])) begins = i;
  }
  return begins;
}

// The sibling into which `file`, which has no name any more, was compressed.
std::size_t LogChain::compressed_copy(const std::vector<SeenFile>& seen, const TailFile& file) {
  for (std::size_t i = 0; i < seen.size() && file.size() > 0; ++i) {
    if (!seen[i].content || !seen[i].content.compressed()) continue;
    const bool same = is_beginning_of(file.content(), seen[i].content);
    seen[i].content.rest();
    if (same) return i;
  }
  return kNowhere;
}

bool LogChain::touched(const FileKey& key) const {
  return std::any_of(files_.begin(), files_.end(),
                     [&](const TailFile& file) { return file.touched() && file.key() == key; });
}

// Only rotated files are known by their content: the live one may have been written anew.
bool LogChain::was_read(const SeenFile& file) {
  if (!file.content || touched(file.facts.key)) return true;  // Without content: just taken
  if (file.live) return false;
  if (file.content.compressed() && knows_compressed(file.facts.key)) return true;
  if (!holds_what_was_read(file)) return false;
  if (file.content.compressed()) {
    read_compressed_.push_back(file.facts.key);
    if (read_compressed_.size() > kMaxReadBefore) read_compressed_.erase(read_compressed_.begin());
  }
  return true;
}

bool LogChain::holds_what_was_read(const SeenFile& file) const {
  const auto holds = [&](const FilePrint& print) { return decide(print, file) == Verdict::kHolds; };
  return std::any_of(read_before_.begin(), read_before_.end(), holds) ||
         std::any_of(files_.begin(), files_.end(), [&](const TailFile& touched_file) {
           return touched_file.touched() && holds(touched_file.print());
         });
}

std::size_t LogChain::first_unread(const std::vector<SeenFile>& seen) {
  auto first = seen.size();
  while (first > 0 && !was_read(seen[first - 1])) --first;
  return first;
}

// Behind the touched files: what waited and has no name any more, then what is unread on disk.
void LogChain::place(std::vector<SeenFile> seen, std::vector<TailFile> waiting, LogNotes& notes) {
  const auto first = first_unread(seen);
  std::vector<TailFile> next;
  std::vector<std::optional<TailFile>> named(seen.size());
  for (auto& file : waiting) {
    auto index = index_of(seen, file.key());
    if (index == kNowhere) index = compressed_copy(seen, file);
    if (index == kNowhere) {
      next.push_back(std::move(file));
    } else if (index >= first) {
      named[index] = std::move(file);
    } else if (const auto size = file.size(); size > 0 && seen[index].content) {
      notes.push_back(misplaced_note(file, size));
    }
  }
  for (auto i = first; i < seen.size(); ++i) {
    next.push_back(named[i] ? std::move(*named[i]) : TailFile(std::move(seen[i]), 0));
  }
  append_waiting(std::move(next));
}

void LogChain::append_waiting(std::vector<TailFile> waiting) {
  auto previous = files_.empty() ? 0 : files_.back().number();
  passed_over_ = false;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    auto& file = waiting[i];
    const bool last = i + 1 == waiting.size();
    if (!last && (file.size() == 0 || is_copy_in_the_making(file, waiting[i + 1]))) {
      passed_over_ = true;
      continue;
    }
    if (file.number() <= previous) file.renumber(++last_number_);
    previous = file.number();
    files_.push_back(std::move(file));
  }
}

bool LogChain::is_copy_in_the_making(const TailFile& file, const TailFile& next) const {
  if (file.content().compressed()) return false;
  const bool born_before = file.key().birth_ns != 0 && file.key().birth_ns < next.key().birth_ns;
  if (!unique_heads_ && born_before) return false;  // Logs that begin with the same banner
  return is_beginning_of(file.content(), next.content());
}

bool LogChain::begin(std::uint64_t number) {
  const auto first = std::find_if(files_.begin(), files_.end(),
                                  [](const TailFile& file) { return !file.touched(); });
  if (first != files_.end() && first->number() == number) return true;
  for (auto file = first; file != files_.end(); ++file) file->renumber(++last_number_);
  return false;
}

// ---- closing -----------------------------------------------------------------------------------

void LogChain::remember(const FilePrint& print) {
  read_before_.push_back(print);
  if (read_before_.size() > kMaxReadBefore) read_before_.erase(read_before_.begin());
}

std::uint64_t LogChain::late_bytes(const LogPosition& position) const {
  std::uint64_t bytes = 0;
  for (const auto& file : files_) {
    if (file.number() >= position.file) break;
    if (!file.touched()) continue;
    const auto size = file.size();
    if (size > file.extent()) bytes += size - file.extent();
  }
  return bytes;
}

void LogChain::prune(const LogPosition& committed) {
  lost_.erase(lost_.begin(), lost_.lower_bound(committed.file));
  while (!files_.empty() && files_.front().number() < committed.file) {
    const auto& file = files_.front();
    if (file.touched()) remember(file.print());
    files_.erase(files_.begin());
  }
}

void LogChain::drop_oldest() {
  if (files_.front().touched()) remember(files_.front().print());
  files_.erase(files_.begin());
}

}  // namespace observeai::agent
