#include "controlplane/store/writer.h"

#include "controlplane/store/alerts.h"
#include "controlplane/store/inventory.h"
#include "controlplane/store/ledger.h"
#include "controlplane/store/series.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::store {
namespace {

// Batches are decoded at most this far ahead of their commit: a group may hold hundreds of megabytes.
constexpr std::size_t kMaxSliceBytes = 32U << 20;

Error too_many_epochs(const AgentId& agent, std::size_t most) {
  return Error(Errc::kInvalid, "agent " + agent.value() + " has begun more than " +
                                   std::to_string(most) +
                                   " spools of which something is left: find out why, or enroll it "
                                   "anew; it keeps what it has until the oldest are forgotten");
}

}  // namespace

Result<model::CommitOutcome> Writer::commit(const wire::Batch& batch) {
  std::vector<Prepared> slice;
  slice.push_back(prepare(batch));
  commit_slice(slice);
  return std::move(*slice.front().outcome);
}

Result<std::vector<Result<model::CommitOutcome>>> Writer::commit_all(
    const std::vector<wire::Batch>& batches) {
  std::vector<Result<model::CommitOutcome>> outcomes;
  outcomes.reserve(batches.size());
  std::vector<Prepared> slice;
  std::size_t slice_bytes = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    slice.push_back(prepare(batches[i]));
    slice_bytes += slice.back().memory_bytes;
    if (slice_bytes < kMaxSliceBytes && i + 1 < batches.size()) continue;
    commit_slice(slice);
    for (auto& prepared : slice) outcomes.push_back(std::move(*prepared.outcome));
    slice.clear();
    slice_bytes = 0;
  }
  return outcomes;
}

Result<void> Writer::give_up(const wire::Batch& batch) {
  std::vector<Prepared> slice;
  slice.push_back(prepare_unreadable(batch));
  commit_slice(slice);
  TRY_VOID(*slice.front().outcome);
  return {};
}

void Writer::commit_slice(std::vector<Prepared>& slice) {
  {
    MutexLock lock(commit_mutex_);
    if (auto named = name_epochs(slice); !named) {
      for (auto& prepared : slice) {
        if (!prepared.outcome) prepared.outcome = Result<model::CommitOutcome>(named.error());
      }
    }
    // Definitions before the samples that refer to them.
    commit_control(slice);
    commit_data(slice);
  }
  for (const auto& prepared : slice) {
    if (!prepared.is_stored()) continue;
    model::Committed committed;
    committed.agent = prepared.batch->header.agent;
    committed.control = prepared.control ? &*prepared.control : nullptr;
    committed.samples = prepared.samples ? &*prepared.samples : nullptr;
    committed.logs = prepared.logs ? &*prepared.logs : nullptr;
    committed.event_ids = prepared.event_ids;
    committed.first_log = prepared.first_log;
    for (const auto& listener : listeners_) listener(committed);
  }
}

Result<void> Writer::name_epochs(std::vector<Prepared>& slice) {
  using Key = std::pair<AgentId, Epoch>;
  std::map<Key, std::int64_t> made;
  const auto name_known = [&]() {
    MutexLock lock(book_.mutex);
    for (auto& prepared : slice) {
      const auto& header = prepared.batch->header;
      if (prepared.outcome) continue;
      if (const auto* state = book_.find(header.agent, header.epoch)) {
        prepared.epoch_no = state->no;
        continue;
      }
      const Key key(header.agent, header.epoch);
      const auto more =
          static_cast<std::size_t>(std::count_if(made.begin(), made.end(), [&](const auto& one) {
            return one.first.first == key.first && one.first != key;
          }));
      if (book_.epochs_of(key.first) + more < book_.limits.epochs_of_agent)
        made.emplace(key, 0);
      else
        prepared.outcome =
            Result<model::CommitOutcome>(too_many_epochs(key.first, book_.limits.epochs_of_agent));
    }
  };
  name_known();
  if (made.empty()) return {};
  const std::int64_t now_ms = clock_.unix_ms();
  TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
    for (auto& [key, no] : made) {
      TRY(no, EpochBook::insert(db, key.first, key.second, now_ms));
    }
    return {};
  }));
  {
    MutexLock lock(book_.mutex);
    for (const auto& [key, no] : made) book_.adopt(no, key.first, key.second);
  }
  name_known();
  return {};
}

Result<void> Writer::check_sources(const Prepared& prepared, NewSources& made) {
  const AgentId& agent = prepared.batch->header.agent;
  const std::size_t most = book_.limits.sources_of_agent;
  auto& made_of_agent = made[agent];
  const std::size_t taken = book_.sources_of(agent) + made_of_agent.size();
  const EpochState& state = book_.at(prepared.epoch_no);
  std::set<std::pair<std::int64_t, SourceKey>> added;
  for (auto& key : prepared.sources()) {
    if (key.source.size() > wire::kMaxLossSourceBytes) {
      return Error(Errc::kInvalid, "a source of agent " + agent.value() + " has a name of " +
                                       std::to_string(key.source.size()) + " bytes");
    }
    if (state.stored.contains(key) || made_of_agent.contains({state.no, key})) continue;
    added.emplace(state.no, std::move(key));
    if (taken + added.size() > most) {
      return Error(Errc::kInvalid, "more than " + std::to_string(most) + " sources of agent " +
                                       agent.value() +
                                       ": those without news are forgotten with time");
    }
  }
  made_of_agent.merge(added);
  return {};
}

Result<void> Writer::check_room(const Prepared& prepared, bool lane_has_room, NewSources& made) {
  const auto& header = prepared.batch->header;
  const std::string whose = " of agent " + header.agent.value();
  if (!lane_has_room) {
    return Error(Errc::kInvalid,
                 "too many gaps in lane " + std::to_string(static_cast<int>(header.lane)) + whose);
  }
  MutexLock lock(book_.mutex);
  if (prepared.moved() && !book_.may_move(header.agent))
    return Error(Errc::kInvalid, "too many moved batches" + whose);
  return check_sources(prepared, made);
}

Result<model::LaneCursors> Writer::cursors(const AgentId& agent, const Epoch& epoch) {
  model::LaneCursors out;
  MutexLock lock(book_.mutex);
  const auto* state = book_.find(agent, epoch);
  if (state == nullptr) return out;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    out.contiguous[lane] = state->lanes[lane].contiguous();
    out.runs[lane] = state->lanes[lane].runs(wire::kMaxAckRuns);
  }
  return out;
}

Result<std::string> Writer::inventory_digest(const AgentId& agent) {
  MutexLock lock(commit_mutex_);
  if (const auto known = digests_.find(agent); known != digests_.end()) return known->second;
  TRY(auto digest, state_.read([&](sql::Database& db) { return digest_of_inventory(db, agent); }));
  digests_[agent] = digest;
  return digest;
}

Result<std::uint64_t> Writer::series_known(const AgentId& agent, const Epoch& epoch) {
  std::int64_t no = 0;
  {
    MutexLock lock(book_.mutex);
    const auto* state = book_.find(agent, epoch);
    if (state == nullptr) return 0;
    no = state->no;
  }
  return state_.read([&](sql::Database& db) { return highest_series_id(db, no); });
}

Result<void> Writer::pass_over_lost(const AgentId& agent, const wire::Hello& hello) {
  MutexLock lock(commit_mutex_);
  std::int64_t no = 0;
  std::array<LaneCursor, wire::kLaneCount> lanes;
  {
    MutexLock book_lock(book_.mutex);
    const auto* state = book_.find(agent, hello.epoch);
    if (state != nullptr) {
      no = state->no;
      lanes = state->lanes;
    } else if (book_.epochs_of(agent) >= book_.limits.epochs_of_agent) {
      return too_many_epochs(agent, book_.limits.epochs_of_agent);
    }
  }
  std::uint64_t lost = 0;
  std::string where;
  std::array<bool, wire::kLaneCount> moved{};
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    const std::uint64_t oldest = hello.oldest_seq[lane];
    if (oldest > static_cast<std::uint64_t>(INT64_MAX) || oldest <= lanes[lane].contiguous() + 1)
      continue;
    const std::uint64_t missing = lanes[lane].skip_to(oldest - 1);
    moved[lane] = true;
    lost += missing;
    where += " " + std::to_string(missing) + " of lane " + std::to_string(lane);
  }
  if (where.empty()) return {};

  const std::int64_t now_ms = clock_.unix_ms();
  const bool is_new = no == 0;
  const auto written = state_.write([&](sql::Database& db) -> Result<void> {
    if (is_new) {
      TRY(no, EpochBook::insert(db, agent, hello.epoch, now_ms));
    }
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      if (!moved[lane]) continue;
      TRY_VOID(write_cursor(db, no, lane, lanes[lane]));
    }
    TRY_VOID(apply_waiting(db, agent, no, lanes[0].contiguous()));
    model::Alert alert;
    alert.kind = "ingest.lost";
    alert.agent = agent;
    alert.message = "batches are neither here nor on the agent's disk:" + where;
    alert.first_ms = alert.last_ms = now_ms;
    alert.count = lost;
    return raise_alert(db, alert);
  });
  tell_inventories();
  TRY_VOID(written);
  log::warning("agent " + agent.value() + ": batches lost:" + where);
  MutexLock book_lock(book_.mutex);
  if (is_new) book_.adopt(no, agent, hello.epoch);
  EpochState& state = book_.at(no);
  state.lanes = lanes;
  state.unsealed = true;
  return {};
}

Result<void> Writer::retain(std::int64_t now_ms, std::int64_t before_ms) {
  MutexLock lock(commit_mutex_);
  TRY_VOID(partitions_.retain(before_ms));
  TRY_VOID(book_.forget_sources(state_, before_ms));
  TRY_VOID(use_.write_marks());
  if (!use_.is_done(now_ms)) series_of_.clear();
  return use_.forget(before_ms, now_ms);
}

}  // namespace observeai::controlplane::store
