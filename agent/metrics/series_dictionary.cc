#include "agent/metrics/series_dictionary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

// Each part preceded by its length, so that no two series share a key whatever bytes they hold.
void append_part(std::string& key, std::string_view part) {
  const auto size = static_cast<std::uint32_t>(part.size());
  for (int shift = 0; shift < 32; shift += 8) key += static_cast<char>(size >> shift & 0xff);
  key += part;
}

std::string_view target_of(std::string_view key) {
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) {
    size |= static_cast<std::uint32_t>(static_cast<unsigned char>(key[i])) << (8 * i);
  }
  return key.substr(4, size);
}

std::string key_of(std::string_view target, std::string_view name, const wire::Labels& labels) {
  std::string key;
  append_part(key, target);
  append_part(key, name);
  for (const wire::Label& label : labels) {
    append_part(key, label.name);
    append_part(key, label.value);
  }
  return key;
}

// Foreign text becomes valid UTF-8 (the wire needs it) of bounded length.
std::string clean(std::string_view text) {
  std::string cleaned(text.substr(0, SeriesDictionary::kMaxLabelBytes));
  if (!text::is_valid_utf8(cleaned)) cleaned = text::replace_invalid_utf8(cleaned);
  return cleaned;
}

wire::Labels to_labels(LabelViews views) {
  wire::Labels labels;
  labels.reserve(views.size());
  for (const LabelView& view : views) labels.push_back({clean(view.name), clean(view.value)});
  std::sort(labels.begin(), labels.end());
  return labels;
}

}  // namespace

SeriesDictionary::SeriesDictionary(const std::vector<wire::SeriesDefinition>& known,
                                   std::uint32_t next_id, SeriesLimits limits)
    : limits_(limits), next_id_(std::max(next_id, 1U)) {
  for (const wire::SeriesDefinition& definition : known) {
    std::string key = key_of(definition.target, definition.name, definition.labels);
    // A damaged store must not make two series share an id or a key.
    if (definition.id == 0 || by_key_.contains(key)) continue;
    if (definition.id >= next_id_) next_id_ = definition.id + 1;
    add_slot(std::move(key), definition.id, true);
  }
  std::sort(by_id_.begin(), by_id_.end(),
            [this](std::uint32_t a, std::uint32_t b) { return slots_[a].id < slots_[b].id; });
  std::uint32_t last_id = 0;
  std::erase_if(by_id_, [&](std::uint32_t index) {
    if (slots_[index].id != last_id) {
      last_id = slots_[index].id;
      return false;
    }
    drop_slot(index);
    return true;
  });
}

void SeriesDictionary::begin(std::int64_t ts_ms) {
  ++scrape_;
  ts_ms_ = ts_ms;
  present_ = 0;
}

void SeriesDictionary::store(Slot& slot, double value) {
  if (!std::isfinite(value)) {
    ++counts_.not_finite;
  } else if (slot.seen_in == scrape_) {
    ++counts_.duplicates;
  } else if (present_ >= limits_.per_scrape) {
    ++counts_.refused;
  } else {
    slot.seen_in = scrape_;
    slot.value = value;
    ++present_;
  }
}

SeriesRef SeriesDictionary::resolve(std::string_view target, const Metric& metric,
                                    LabelViews labels) {
  wire::SeriesDefinition definition{0, clean(target), std::string(metric.name), to_labels(labels),
                                    metric.kind};
  std::string key = key_of(definition.target, definition.name, definition.labels);
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    return {found->second, slots_[found->second].id};
  }
  const bool room = present_ < limits_.per_scrape &&
                    (by_key_.size() < limits_.known || forget_gone()) && next_id_ != 0;
  if (!room) {
    ++counts_.refused;
    return {};
  }
  definition.id = next_id_++;
  add_slot(std::move(key), definition.id, false);
  new_definitions_.push_back(std::move(definition));
  return {by_id_.back(), slots_[by_id_.back()].id};
}

wire::Scrape SeriesDictionary::finish() {
  wire::Scrape scrape;
  scrape.ts_ms = ts_ms_;
  scrape.series.reserve(last_size_ + 64);
  scrape.values.reserve(last_size_ + 64);
  std::size_t kept = 0;
  marked_.clear();
  for (const std::uint32_t index : by_id_) {
    Slot& slot = slots_[index];
    const bool present = slot.seen_in == scrape_;
    const bool awaited = slot.seen_in == kLoaded && scrape_ < kLoadedGraceScrapes;
    if (present) {
      slot.live = true;
      scrape.series.push_back(slot.id);
      scrape.values.push_back(slot.value);
    } else if (slot.live && !awaited) {
      marked_.push_back({index, slot.id});
      scrape.series.push_back(slot.id);
      scrape.values.push_back(std::numeric_limits<double>::quiet_NaN());
    } else if (scrape_ - slot.seen_in >= kForgetAfterScrapes) {
      drop_slot(index);
      continue;
    }
    by_id_[kept++] = index;
  }
  by_id_.resize(kept);
  last_size_ = scrape.series.size();
  return scrape;
}

void SeriesDictionary::forget(std::string_view target_prefix) {
  std::erase_if(by_id_, [&](std::uint32_t index) {
    if (!target_of(*slots_[index].key).starts_with(target_prefix)) return false;
    drop_slot(index);
    return true;
  });
}

void SeriesDictionary::committed() {
  new_definitions_.clear();
  forgotten_.clear();
  for (const SeriesRef& mark : marked_) {
    if (slots_[mark.slot].id == mark.id) slots_[mark.slot].live = false;
  }
  marked_.clear();
}

// Makes room by forgetting what has already had its stale mark.
bool SeriesDictionary::forget_gone() {
  const std::size_t removed = std::erase_if(by_id_, [this](std::uint32_t index) {
    const bool marked = !slots_[index].live && slots_[index].seen_in != scrape_;
    if (marked) drop_slot(index);
    return marked;
  });
  return removed > 0;
}

void SeriesDictionary::add_slot(std::string key, std::uint32_t id, bool live) {
  const std::uint32_t index = take_slot();
  const auto entry = by_key_.emplace(std::move(key), index).first;
  // What a restart brought back counts from the start, what is new from the scrape before it.
  slots_[index] = {id, live ? kLoaded : scrape_ - 1, 0, &entry->first, live};
  by_id_.push_back(index);
}

std::uint32_t SeriesDictionary::take_slot() {
  if (free_.empty()) {
    slots_.emplace_back();
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  return index;
}

void SeriesDictionary::drop_slot(std::uint32_t index) {
  forgotten_.push_back(slots_[index].id);
  by_key_.erase(*slots_[index].key);
  slots_[index] = {};
  free_.push_back(index);
}

}  // namespace observeai::agent
