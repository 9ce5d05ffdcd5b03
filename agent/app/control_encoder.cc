#include "agent/app/control_encoder.h"

#include <algorithm>
#include <utility>

#include "agent/app/encode_split.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

std::uint32_t control_count(const wire::ControlBatch& batch) {
  return static_cast<std::uint32_t>(batch.series.size() + batch.inventory.size() +
                                    batch.events.size() + batch.ledger.size() +
                                    batch.results.size());
}

std::size_t entries_in(const wire::InventoryUpdate& update) {
  const auto count = [](const auto& section) {
    return section.upserts.size() + section.removed.size();
  };
  return count(update.containers) + count(update.processes) + count(update.units) +
         count(update.ports) + (update.host ? 1 : 0);
}

// Makes two of a lone update, which apply one after the other to the same result. False when it has
// one entry only.
bool halve_update(std::vector<wire::InventoryUpdate>& one) {
  const std::size_t entries = entries_in(one.front());
  if (entries < 2) return false;
  one.emplace_back();
  wire::InventoryUpdate& front = one[0];
  wire::InventoryUpdate& back = one[1];
  back.ts_ms = front.ts_ms;
  std::size_t stay = entries / 2 - (front.host ? 1 : 0);
  const auto move_rest = [&stay](auto& from, auto& to) {
    const auto kept = std::min(stay, from.size());
    const auto middle = from.begin() + static_cast<std::ptrdiff_t>(kept);
    to.assign(std::make_move_iterator(middle), std::make_move_iterator(from.end()));
    from.erase(middle, from.end());
    stay -= kept;
  };
  const auto halve = [&](auto section) {
    move_rest((front.*section).removed, (back.*section).removed);
    move_rest((front.*section).upserts, (back.*section).upserts);
  };
  halve(&wire::InventoryUpdate::containers);
  halve(&wire::InventoryUpdate::processes);
  halve(&wire::InventoryUpdate::units);
  halve(&wire::InventoryUpdate::ports);
  return true;
}

std::string name_of(const wire::SeriesDefinition& series) {
  return "series " + series.name;
}
std::string name_of(const wire::InventoryUpdate&) {
  return "an entry of the inventory";
}
std::string name_of(const wire::Event& event) {
  return "event " + event.kind;
}
std::string name_of(const wire::LedgerEntry& entry) {
  return "ledger entry " + entry.source;
}
std::string name_of(const std::string& /*envelope*/) {
  return "the result of a command";
}

}  // namespace

Result<void> ControlEncoder::add(const wire::ControlBatch& signals) {
  if (control_count(signals) == 0) return {};
  if (auto whole = encode(signals)) {
    batches.push_back(std::move(*whole));
    return {};
  }
  const auto whole_or_nothing = [](const auto&) { return false; };
  TRY_VOID(add_kind(signals, &wire::ControlBatch::series, whole_or_nothing));
  TRY_VOID(add_kind(signals, &wire::ControlBatch::inventory, halve_update));
  TRY_VOID(add_kind(signals, &wire::ControlBatch::events, whole_or_nothing));
  TRY_VOID(add_kind(signals, &wire::ControlBatch::ledger, whole_or_nothing));
  return add_kind(signals, &wire::ControlBatch::results, whole_or_nothing);
}

Result<PendingBatch> ControlEncoder::encode(const wire::ControlBatch& signals) const {
  TRY(auto body, wire::encode_control(signals));
  PendingBatch pending;
  pending.lane = wire::Lane::kControl;
  pending.n = control_count(signals);
  pending.first_ts_ms = pending.last_ts_ms = now_ms_;
  pending.body = std::move(body);
  return pending;
}

template <class Kind, class Shrink>
Result<void> ControlEncoder::add_kind(const wire::ControlBatch& signals, Kind kind,
                                      const Shrink& shrink) {
  const auto encode_items = [this, kind](const auto& items) {
    wire::ControlBatch part;
    part.*kind = items;
    return encode(part);
  };
  const auto refuse = [this](const auto& item, const Error& why) {
    refused.push_back(name_of(item) + ": " + why.message());
  };
  auto items = signals.*kind;
  return encode_split(items, encode_items, shrink, refuse, batches);
}

}  // namespace observeai::agent
