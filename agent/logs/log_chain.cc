#include "agent/logs/log_chain.h"

#include <algorithm>
#include <optional>

#include "protocol/base/check.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kNowhere = ~std::size_t{0};

}  // namespace

LogNote truncated_note(const std::string& path, std::uint64_t extent, bool copy_found) {
  LogNote note;
  note.kind = "logs.truncated";
  note.message =
      path + " was truncated after " + std::to_string(extent) + " bytes were read; " +
      (copy_found
           ? "reading goes on in its copy; lines written between copying and truncating are lost"
           : "lines that were not read before are lost");
  note.attributes = {{"copy_found", copy_found ? "true" : "false"},
                     {"offset", std::to_string(extent)},
                     {"path", path}};
  return note;
}

namespace {

LogNote gap_note(const CheckpointState& state, std::size_t files_found) {
  const auto& last = state.files.back();
  LogNote note;
  note.kind = "logs.gap";
  note.message = "the file of " + state.path +
                 " that was being read is gone; what it held after byte " +
                 std::to_string(last.print.extent) + " is lost; reading goes on with " +
                 std::to_string(files_found) + " newer file(s)";
  note.attributes = {{"files_found", std::to_string(files_found)},
                     {"inode", std::to_string(last.print.key.inode)},
                     {"offset", std::to_string(last.print.extent)},
                     {"path", state.path}};
  return note;
}

// Where among `seen` the file of `print` is: itself if it can go on there, else the newest copy.
struct Match {
  std::size_t index = kNowhere;
  Verdict verdict = Verdict::kUnrelated;
};
Match find(const std::vector<SeenFile>& seen, const FilePrint& print) {
  Match best;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (!seen[i].fd) continue;  // Taken
    const auto verdict = decide(print, observe(seen[i].fd.get(), seen[i].facts, print));
    if (verdict == Verdict::kResume) return {i, verdict};
    if (verdict == Verdict::kAdopt) best = {i, verdict};
    if (verdict == Verdict::kTruncated && best.index == kNowhere) best = {i, verdict};
  }
  return best;
}

// A copy of `print`'s file made after it was truncated once: younger than all that was read, and
// not a copy of what was read.
bool is_unread_copy(const SeenFile& file, const FilePrint& print, std::int64_t drained_birth_ns) {
  const auto born = file.facts.key.birth_ns;
  if (born <= drained_birth_ns || born <= print.key.birth_ns) return false;
  return observe(file.fd.get(), file.facts, print).head != print.head;
}

// A place at the beginning of an untouched file is the same as the end of the file before it; said
// that way it stays right when a further file turns up between the two.
void retreat_from_untouched(CheckpointState& state) {
  if (state.files.size() < 2 || state.files.back().print.extent != 0) return;
  const LogPosition beginning{state.files.back().number, 0};
  state.files.pop_back();
  const LogPosition end{state.files.back().number, state.files.back().print.extent};
  for (auto& stream : state.streams) {
    if (stream.position == beginning) stream.position = end;
  }
}

}  // namespace

std::size_t LogChain::index_of(std::uint64_t number) const {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const TailFile& file) { return file.number() == number; });
  CHECK(found != files_.end());
  return static_cast<std::size_t>(found - files_.begin());
}

bool LogChain::holds(const FileKey& key) const {
  return std::any_of(files_.begin(), files_.end(),
                     [&](const TailFile& file) { return file.key() == key; });
}

TailFile* LogChain::after(std::uint64_t number) {
  const auto next = index_of(number) + 1;
  return next < files_.size() ? &files_[next] : nullptr;
}
TailFile* LogChain::before(std::uint64_t number) {
  const auto index = index_of(number);
  return index > 0 ? &files_[index - 1] : nullptr;
}

void LogChain::renumber_after(std::size_t index) {
  for (auto i = index + 1; i < files_.size(); ++i) files_[i].renumber(take_number());
}

void LogChain::start(std::vector<SeenFile> seen) {
  files_.clear();
  for (auto& file : seen) files_.emplace_back(std::move(file), take_number());
}

void LogChain::attach(CheckpointState& state, std::vector<SeenFile> seen, LogNotes& notes) {
  files_.clear();
  drained_birth_ns_ = state.drained_birth_ns;
  for (const auto& file : state.files) last_number_ = std::max(last_number_, file.number);
  for (const auto& stream : state.streams)
    last_number_ = std::max(last_number_, stream.position.file);
  retreat_from_untouched(state);
  if (state.files.empty()) return start(std::move(seen));

  const auto last_print = state.files.back().print;
  std::size_t next = kNowhere;  // Behind the newest file found
  Verdict last_verdict = Verdict::kUnrelated;
  std::size_t truncated_at = kNowhere;
  for (const auto& file : state.files) {
    const auto match = find(seen, file.print);
    last_verdict = match.verdict;
    if (match.verdict == Verdict::kTruncated) truncated_at = match.index;
    if (match.verdict != Verdict::kResume && match.verdict != Verdict::kAdopt) continue;
    files_.emplace_back(std::move(seen[match.index]), file.number, file.print);
    next = match.index + 1;
  }
  const bool found_last = last_verdict == Verdict::kResume || last_verdict == Verdict::kAdopt;
  if (last_verdict == Verdict::kAdopt) {
    notes.push_back(truncated_note(state.path, last_print.extent, true));
    files_.back().truncation_reported = true;
  } else if (last_verdict == Verdict::kTruncated) {
    notes.push_back(truncated_note(state.path, last_print.extent, false));
  }
  for (std::size_t i = 0; i + 1 < state.files.size(); ++i) {
    drained_birth_ns_ = std::max(drained_birth_ns_, state.files[i].print.key.birth_ns);
  }
  const auto is_newer = [&](std::size_t i) {
    if (last_verdict == Verdict::kTruncated) {
      return i >= truncated_at || is_unread_copy(seen[i], last_print, drained_birth_ns_);
    }
    if (next != kNowhere) return i >= next;
    // The live file is older than copies of it, and was not read before: else it had been found.
    const auto born = seen[i].facts.key.birth_ns;
    const auto last_born = last_print.key.birth_ns;
    const bool read_copy = drained_birth_ns_ > last_born && born <= drained_birth_ns_;
    return seen[i].rotation == 0 || (born >= last_born && !read_copy);
  };
  const auto known = files_.size();
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i].fd && is_newer(i)) files_.emplace_back(std::move(seen[i]), take_number());
  }
  if (files_.empty()) return;
  if (!found_last && last_verdict != Verdict::kTruncated)
    notes.push_back(gap_note(state, files_.size() - known));
}

void LogChain::extend(std::vector<SeenFile> seen, std::uint64_t newest_read) {
  const auto newest_index = index_of(newest_read);
  std::size_t insert_at = kNowhere;
  // Has that file, or a newer one, still a name?
  const bool any_known = std::any_of(
      files_.begin() + static_cast<std::ptrdiff_t>(newest_index), files_.end(),
      [&](const TailFile& known) {
        return std::any_of(seen.begin(), seen.end(),
                           [&](const SeenFile& file) { return file.facts.key == known.key(); });
      });
  const auto newest_birth = files_.back().key().birth_ns;
  bool inserted = false;
  for (auto& file : seen) {
    if (holds(file.facts.key)) {
      const auto found = std::find_if(files_.begin(), files_.end(), [&](const TailFile& known) {
        return known.key() == file.facts.key;
      });
      insert_at = static_cast<std::size_t>(found - files_.begin()) + 1;
      continue;
    }
    if (!any_known) {  // Unlinked: what is there was created later
      if (file.rotation != 0 && file.facts.key.birth_ns < newest_birth) continue;
      insert_at = files_.size();
    }
    if (insert_at == kNowhere || insert_at <= newest_index)
      continue;  // Older than what is being read
    files_.emplace(files_.begin() + static_cast<std::ptrdiff_t>(insert_at), std::move(file), 0);
    ++insert_at;
    inserted = true;
  }
  if (inserted) renumber_after(newest_index);
}

std::uint64_t LogChain::replace_truncated(std::vector<SeenFile> seen, std::uint64_t reading,
                                          LogNotes& notes) {
  const auto index = index_of(reading);
  const bool live = index + 1 == files_.size();
  const auto print = files_[index].print();
  std::size_t copy = kNowhere;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (holds(seen[i].facts.key)) continue;
    if (decide(print, observe(seen[i].fd.get(), seen[i].facts, print)) == Verdict::kAdopt) copy = i;
  }
  bool shorter = false;
  for (std::size_t i = 0; i < seen.size() && copy == kNowhere; ++i) {
    if (holds(seen[i].facts.key) || !files_[index].began_like(seen[i])) continue;
    copy = i;
    shorter = true;
  }
  notes.push_back(truncated_note(files_[index].path(), print.extent, copy != kNowhere));
  const auto make_copy = [&] {
    if (!shorter) return TailFile(std::move(seen[copy]), reading, print);
    const auto size = seen[copy].facts.size;
    TailFile file(std::move(seen[copy]), reading);
    file.consumed_through(size);
    return file;
  };
  if (!live) {  // Somebody cut a rotated file: what it held is in the copy or nowhere
    if (copy != kNowhere) {
      files_[index] = make_copy();
      return reading;
    }
    files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(index));
    return files_[index].number();
  }
  files_[index].restart(take_number());
  if (copy == kNowhere) return insert_unread_copies(std::move(seen), index, print);
  auto place = files_.begin() + static_cast<std::ptrdiff_t>(index);
  place = files_.insert(place, make_copy());
  place->truncation_reported = true;
  for (auto i = copy + 1; i < seen.size() && !holds(seen[i].facts.key); ++i) {
    place = files_.emplace(place + 1, std::move(seen[i]), 0);
  }
  renumber_after(index);
  return reading;
}

// Copies made since `print` was taken of file `index`, which was truncated, go before it. The
// number of the first.
std::uint64_t LogChain::insert_unread_copies(std::vector<SeenFile> seen, std::size_t index,
                                             const FilePrint& print) {
  auto youngest = drained_birth_ns_;
  for (const auto& file : files_) {
    if (file.key() != print.key) youngest = std::max(youngest, file.key().birth_ns);
  }
  auto place = files_.begin() + static_cast<std::ptrdiff_t>(index);
  for (auto& file : seen) {
    if (holds(file.facts.key) || !is_unread_copy(file, print, youngest)) continue;
    place = files_.emplace(place, std::move(file), take_number()) + 1;
  }
  place->renumber(take_number());
  renumber_after(static_cast<std::size_t>(place - files_.begin()));
  return files_[index].number();
}

bool LogChain::next_goes_on(std::uint64_t number) {
  const auto index = index_of(number);
  auto& next = files_[index + 1];
  const auto print = files_[index].print();
  const auto facts = next.facts();
  if (!facts || decide(print, observe(next.fd(), *facts, print)) != Verdict::kAdopt) return false;
  if (next.extent() < print.extent) next.adopt(print);
  next.renumber(number);
  files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(index));
  return true;
}

LogPosition LogChain::clip(const LogPosition& position, bool& lost) const {
  for (const auto& file : files_) {
    if (file.number() == position.file) return position;
    if (file.number() > position.file) {
      lost = true;
      return {file.number(), 0};
    }
  }
  lost = true;
  return files_.empty() ? position : LogPosition{files_.back().number(), files_.back().extent()};
}

void LogChain::prune(const LogPosition& committed, std::uint64_t& late_bytes) {
  const auto needed = index_of(committed.file);
  // The file before an untouched one stays: it tells where a further file belongs.
  const auto keep_from = files_[needed].extent() == 0 && needed > 0 ? needed - 1 : needed;
  for (std::size_t i = 0; i < keep_from; ++i) {
    drained_birth_ns_ = std::max(drained_birth_ns_, files_[i].key().birth_ns);
    const auto facts = files_[i].facts();
    if (facts && facts->size > files_[i].extent()) late_bytes += facts->size - files_[i].extent();
  }
  files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(keep_from));
}

}  // namespace observeai::agent
