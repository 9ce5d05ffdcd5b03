#include "controlplane/api/live_hub.h"

#include <boost/json.hpp>

#include "controlplane/api/to_json.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};

}  // namespace

LiveHub::LiveHub(model::AgentRegistry& agents, model::TelemetryReader& telemetry,
                 const Clock& clock)
    : names_(agents, telemetry, clock), thread_([this] { run(); }) {}

LiveHub::~LiveHub() {
  stopping_ = true;
  queue_.close();
  thread_.join();
}

// A follower takes its place before it reads the head, and the head moves before places are counted:
// who finds no place taken here has published nothing beyond the head of a follower.
void LiveHub::publish(const model::Committed& committed) {
  if (committed.logs != nullptr && !committed.logs->records.empty()) {
    auto last = committed.first_log;
    last.index += static_cast<std::uint32_t>(committed.logs->records.size() - 1);
    MutexLock lock(head_mutex_);
    head_ = head_ ? std::max(*head_, last) : last;
  }
  if (places_->taken.load() == 0) return;
  Item item;
  item.agent = committed.agent;
  if (committed.logs != nullptr && !committed.logs->records.empty()) {
    item.logs = *committed.logs;
    item.first_log = committed.first_log;
    for (const auto& record : item.logs.records) item.bytes += sizeof(record) + record.text.size();
  } else if (committed.control != nullptr) {
    item.inventory = committed.control->inventory;
    if (committed.event_ids.size() == committed.control->events.size()) {
      item.events = committed.control->events;
      item.event_ids = committed.event_ids;
    }
    for (const auto& event : item.events) item.bytes += sizeof(event) + event.message.size();
    for (const auto& update : item.inventory)
      item.bytes += update.containers.upserts.size() * sizeof(wire::Container);
  }
  if (item.logs.records.empty() && item.events.empty() && item.inventory.empty()) return;
  enqueue(std::move(item));
}

void LiveHub::enqueue(Item item) {
  const std::size_t bytes = item.bytes;
  const bool fits = queued_bytes_.fetch_add(bytes) + bytes <= kMaxQueuedBytes;
  if (fits && queue_.try_push(std::move(item))) return;
  queued_bytes_ -= bytes;
  ++overflows_;
  mark_all_lagged();
}

Result<std::shared_ptr<Follower>> LiveHub::follow(const TenantId& tenant, Follower::Filter filter) {
  if (places_->taken.fetch_add(1) >= kMaxFollowers) {
    --places_->taken;
    ++refused_;
    return Error(Errc::kLimit,
                 "already " + std::to_string(kMaxFollowers) + " streams are followed");
  }
  std::optional<model::LogPosition> head;
  {
    MutexLock lock(head_mutex_);
    head = head_;
  }
  std::shared_ptr<Follower> follower(new Follower(tenant, std::move(filter), head, memory_),
                                     [places = places_](Follower* gone) {
                                       delete gone;
                                       --places->taken;
                                     });
  MutexLock lock(mutex_);
  std::erase_if(followers_, [](const auto& weak) { return weak.expired(); });
  followers_.push_back(follower);
  return follower;
}

std::vector<std::shared_ptr<Follower>> LiveHub::followers() {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Follower>> out;
  for (const auto& weak : followers_) {
    if (auto follower = weak.lock()) out.push_back(std::move(follower));
  }
  return out;
}

void LiveHub::mark_all_lagged() {
  for (const auto& follower : followers()) follower->mark_lagged();
}

void LiveHub::run() {
  while (true) {
    const auto item = queue_.pop(kPatience);
    if (item) {
      fan_out(*item);
      queued_bytes_ -= item->bytes;
    } else if (stopping_) {
      return;
    }
  }
}

void LiveHub::fan_out(const Item& item) {
  const TenantId tenant = names_.tenant(item.agent);
  if (tenant.empty()) return;  // An agent that the registry does not know belongs to nobody.
  names_.learn(item.agent, item.inventory);
  const auto render_log = log_renderer();
  const auto render_event = event_renderer();
  for (const auto& follower : followers()) {
    const bool wants = follower->tenant() == tenant &&
                       (follower->agent().empty() || follower->agent() == item.agent);
    if (!wants) continue;
    if (const auto* filter = std::get_if<LogFilter>(&follower->filter())) {
      std::vector<model::LogRow> rows;
      auto position = item.first_log;
      for (const auto& record : item.logs.records) {
        if (filter->matches(record)) rows.push_back({item.agent, record, position});
        ++position.index;
      }
      if (!rows.empty()) follower->offer(std::move(rows), render_log);
    } else {
      std::vector<model::EventRow> rows;
      for (std::size_t i = 0; i < item.events.size(); ++i) {
        if (std::get<EventFilter>(follower->filter()).matches(item.events[i])) {
          rows.push_back({item.event_ids[i], item.agent, item.events[i]});
        }
      }
      if (!rows.empty()) follower->offer(std::move(rows), render_event);
    }
  }
}

RenderLog LiveHub::log_renderer() {
  return [this](const model::LogRow& row, bool with_id) {
    return event_frame(
        "log", with_id ? format_position(row.position) : "",
        log_json(row, names_.hostname(row.agent), names_.name(row.agent, row.record.target)));
  };
}

RenderEvent LiveHub::event_renderer() {
  return [this](const model::EventRow& row) {
    return event_frame(
        "event", std::to_string(row.id),
        event_json(row, names_.hostname(row.agent), names_.name(row.agent, row.event.target)));
  };
}

LiveHub::Counters LiveHub::counters() {
  return {places_->taken, refused_, overflows_};
}

}  // namespace observeai::controlplane::api
