#include "controlplane/ingest/pipeline.h"

#include "protocol/base/log.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"

namespace observeai::controlplane {
namespace {

constexpr std::chrono::seconds kSeenEvery(10);  // last_seen is written no more often than this
constexpr std::chrono::seconds kTickEvery(1);
constexpr std::size_t kMaxUnreadable = 256;  // Counts kept of one agent; beyond, its own start over
constexpr const char* kStoreRefuses = "store.refuses";
// Of the messages with which the control plane tries its broker: nobody's, and no refusal.
constexpr std::string_view kCanaryTenant = "canary";

std::optional<wire::Lane> lane_of(topics::Channel channel) {
  switch (channel) {
    case topics::Channel::kLane0:
      return wire::Lane::kControl;
    case topics::Channel::kLane1:
      return wire::Lane::kMetrics;
    case topics::Channel::kLane2:
      return wire::Lane::kLogs;
    case topics::Channel::kLane3:
      return wire::Lane::kTraces;
    default:
      return std::nullopt;
  }
}

}  // namespace

IngestPipeline::IngestPipeline(model::AgentRegistry& registry, model::TelemetryWriter& writer,
                               model::AlertRepository& alerts, const Clock& clock,
                               signing::KeyAgreementPair keys, IngestLimits limits)
    : registry_(registry),
      writer_(writer),
      alerts_(alerts),
      clock_(clock),
      keys_(std::move(keys)),
      credits_(limits.credit) {}

void IngestPipeline::forget(const AgentId& agent) {
  known_.erase(agent);
  unreadable_.erase(agent);
  credits_.forget(agent);
}

void IngestPipeline::process(const std::vector<mqtt::Message>& group) {
  batches_.clear();
  for (const auto& message : group) {
    ++counters_.messages;
    counters_.bytes_received += message.payload.size();
    const auto parsed = topics::parse(message.topic);
    if (!parsed) {
      refuse("bad_topic");
      continue;
    }
    if (parsed->address.tenant.value() == kCanaryTenant) continue;
    Known* known = admit(parsed->address);
    if (known == nullptr) continue;
    if (parsed->channel == topics::Channel::kHello) {
      // A hello asks what is committed: everything before it must be settled first.
      commit_group();
      take_hello(*known, message.payload);
    } else if (lane_of(parsed->channel)) {
      take_batch(*known, message.payload);
    } else {
      refuse("bad_topic");
    }
  }
  commit_group();
  tick();
}

IngestPipeline::Known* IngestPipeline::admit(const topics::AgentAddress& claimed) {
  const char* why_not = nullptr;
  Known* known = know(claimed.agent, why_not);
  if (known == nullptr) {
    refuse(why_not);
    return nullptr;
  }
  if (known->address != claimed) {
    refuse("topic_mismatch");
    return nullptr;
  }
  return known;
}

IngestPipeline::Known* IngestPipeline::know(const AgentId& agent, const char*& why_not) {
  if (const auto found = known_.find(agent); found != known_.end()) return &found->second;
  const auto record = registry_.find(agent);
  if (!record) {
    why_not = "store_error";
  } else if (!*record) {
    why_not = "unknown_agent";
  } else if ((*record)->state != model::AgentState::kActive) {
    why_not = (*record)->state == model::AgentState::kRevoked ? "revoked" : "not_confirmed";
  } else if (auto keys = signing::controlplane_session_keys(keys_, (*record)->sealing_public_key);
             !keys) {
    why_not = "forged";
  } else {
    Known known{{(*record)->tenant, (*record)->shard, agent}, std::move(*keys), {}, {}, {}, {}};
    signing::random_bytes(known.challenge);
    return &known_.emplace(agent, std::move(known)).first->second;
  }
  return nullptr;
}

// ---- messages ----------------------------------------------------------------------------------

void IngestPipeline::take_hello(Known& known, const std::string& payload) {
  const AgentId& agent = known.address.agent;
  auto hello = wire::open_hello(payload, agent, known.keys.up);
  if (!hello || hello->agent != agent) {
    refuse("forged");
    alert("hello.forged", agent, "a hello under this agent's name did not carry its seal");
    return;
  }
  if (hello->challenge !=
      known.challenge) {  // Perhaps the broker kept it: who lives says it again.
    ++counters_.challenged;
    acks_[{agent, hello->epoch}].ask = true;
    return;
  }
  ++counters_.hellos;
  if (const auto order = sessions_.order_of(*hello); order != SessionTracker::Order::kNew) {
    refuse("replayed");
    if (order == SessionTracker::Order::kEarlier) question(known, *hello);
    return;
  }
  const auto comparison = writer_.compare(*hello);
  if (!comparison) {  // Not judged, not answered: it is said again.
    refuse("store_error");
    return;
  }
  judge(known, *hello, *comparison, sessions_.observe(*hello));

  known.seen_written = clock_.steady_now();
  const auto epoch = hello->epoch;
  hello->pending = {};  // Compared; a registry of 10,000 agents need not keep them
  hello->challenge = {};
  ignore(registry_.seen(agent, clock_.unix_ms(), *hello),
         "last_seen is for people; the next hello writes it again");
  for (const auto& listener : hello_listeners_) listener(agent, *hello);

  std::uint64_t waiting_batches = 0;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane)
    waiting_batches +=
        hello->next_seq[lane] - std::min(hello->oldest_seq[lane], hello->next_seq[lane]);
  credits_.greeted(agent, epoch, waiting_batches, hello->spool_bytes, clock_.steady_now());

  PendingAck& ack = acks_[{agent, epoch}];
  ack.ask = false;  // For a hello before this one
  const auto contiguous = writer_.contiguous(agent, hello->epoch);
  if (!contiguous) return;
  // Ask again only for what is really lost, not for what is still on its way.
  const bool control_settled = (*contiguous)[0] + 1 >= hello->next_seq[0];
  if (!control_settled) return;
  const auto digest = writer_.inventory_digest(agent);
  if (digest && *digest != hello->inventory_digest) ack.need_inventory = true;
  const auto known_series = writer_.series_known(agent, hello->epoch);
  if (known_series && *known_series < hello->series_known) ack.need_series = true;
}

void IngestPipeline::take_batch(Known& known, const std::string& payload) {
  const AgentId& agent = known.address.agent;
  auto batch = wire::open_batch(payload, known.keys.up);
  if (!batch || batch->header.agent != agent) {
    refuse("forged");
    alert("batch.forged", agent, "a batch under this agent's name did not carry its seal");
    return;
  }
  credits_.arrived(agent, batch->header.epoch, payload.size(), clock_.steady_now());
  if (is_of_session(known, batch->header)) batches_.push_back(std::move(*batch));
}

void IngestPipeline::commit_group() {
  if (batches_.empty()) return;
  const auto outcomes = writer_.commit_all(batches_);
  if (!outcomes) {
    counters_.refused["store_error"] += batches_.size();
    note_store(Result<void>(outcomes.error()));
  } else {
    for (std::size_t i = 0; i < batches_.size(); ++i) settle(batches_[i], (*outcomes)[i]);
  }
  batches_.clear();
}

// One alert while nothing can be stored: a full disk, a damaged state.db. It ends with the first batch
// that is stored.
void IngestPipeline::note_store(const Result<void>& commit) {
  if (!commit) {
    store_refuses_ = true;
    alert(kStoreRefuses, AgentId(),
          "nothing can be stored, agents keep their data and send it again: " +
              commit.error().message());
    return;
  }
  if (!store_refuses_ || !alerts_.clear(kStoreRefuses, AgentId(), "")) return;
  collected_alerts_.erase({kStoreRefuses, AgentId()});
  store_refuses_ = false;
}

// Only for what is new: an old batch can be published again without its host.
void IngestPipeline::note_seen(const AgentId& agent) {
  const auto known = known_.find(agent);
  const auto now = clock_.steady_now();
  if (known == known_.end() || now - known->second.seen_written < kSeenEvery) return;
  known->second.seen_written = now;
  ignore(registry_.seen(agent, clock_.unix_ms(), std::nullopt), "the next batch writes it again");
}

void IngestPipeline::settle(const wire::Batch& batch, const Result<model::CommitOutcome>& outcome) {
  const AgentId& agent = batch.header.agent;
  if (!outcome) {
    if (outcome.error().code() == Errc::kCorrupt) {
      settle_corrupt(batch, outcome.error());
    } else if (outcome.error().code() == Errc::kInvalid) {  // What others send is stored
      refuse("over_limit");
      alert("batch.refused", agent, "a batch is not taken: " + outcome.error().message());
    } else {
      refuse("store_error");
      note_store(Result<void>(outcome.error()));
    }
    return;
  }
  PendingAck& ack = acks_[{agent, batch.header.epoch}];
  switch (*outcome) {
    case model::CommitOutcome::kStored:
      note_store({});
      note_settled(batch.header);
      note_seen(agent);
      if (batch.header.codec == wire::Codec::kLost) {
        alert_loss(batch);
        break;
      }
      ++counters_.batches_stored;
      counters_.signals_stored[static_cast<std::size_t>(batch.header.lane)] += batch.header.n;
      break;
    case model::CommitOutcome::kDuplicate:
      note_settled(batch.header);
      ++counters_.batches_duplicate;
      break;
    case model::CommitOutcome::kConflict:
      settle_conflict(batch.header);
      break;
    case model::CommitOutcome::kNeedSeries:
      refuse("need_series");
      ack.need_series = true;
      break;
  }
}

void IngestPipeline::alert_loss(const wire::Batch& batch) {
  ++counters_.batches_lost;
  const auto notice = wire::decode_loss(batch.body);
  if (!notice) return;  // It was committed: it decodes
  const std::string where = " records of lane " +
                            std::to_string(static_cast<int>(batch.header.lane)) +
                            " were lost on the host before they could be sent (" + notice->reason;
  std::uint64_t records = 0;
  for (const auto& source : notice->sources) records += source.records;
  if (notice->sources.empty()) {  // Of lane 0, or nothing could be read of it but its number
    alert("records.lost", batch.header.agent,
          "an unknown number of" + where + "): batch " + std::to_string(batch.header.seq));
  } else if (records > 0) {
    alert("records.lost", batch.header.agent,
          std::to_string(records) + where + "), first of " + notice->sources.front().name +
              "; `observeai ledger` lists every source");
  }
}

void IngestPipeline::settle_corrupt(const wire::Batch& batch, const Error& why) {
  const AgentId& agent = batch.header.agent;
  refuse("corrupt");
  const bool given_up = is_hopeless(batch) && writer_.give_up(batch);
  alert("batch.corrupt", agent,
        "a sealed batch does not decode" +
            std::string(given_up ? ", its records are given up: " : ": ") + why.message());
  if (!given_up) return;
  ++counters_.batches_given_up;
  note_settled(batch.header);
  acks_[{agent, batch.header.epoch}];
}

// Counts refusals of one content under one number; true when there were enough of them.
bool IngestPipeline::is_hopeless(const wire::Batch& batch) {
  const auto& header = batch.header;
  auto& of_agent = unreadable_[header.agent];
  const BatchKey key(header.epoch, header.lane, header.seq);
  // The lowest numbers are those that hold up a lane: they keep their place.
  if (of_agent.size() >= kMaxUnreadable && !of_agent.contains(key)) {
    std::erase_if(of_agent,
                  [&](const auto& one) { return std::get<0>(one.first) != header.epoch; });
  }
  if (of_agent.size() >= kMaxUnreadable && !of_agent.contains(key)) {
    if (key > of_agent.rbegin()->first) return false;
    of_agent.erase(std::prev(of_agent.end()));
  }
  Refusals& refusals = of_agent[key];
  const std::size_t content = std::hash<std::string>()(batch.body);
  if (refusals.content != content) refusals = {content, 0};
  if (++refusals.count < kRefusalsUntilGivenUp) return false;
  of_agent.erase(key);
  return true;
}

std::vector<mqtt::Message> IngestPipeline::take_acks(std::size_t most, bool drained) {
  ask_next();
  for (const auto& due : credits_.due(clock_.steady_now(), drained)) acks_[{due.agent, due.epoch}];
  std::vector<mqtt::Message> messages;
  auto at = acks_.lower_bound(next_ack_);
  for (std::size_t left = acks_.size(); left > 0 && messages.size() < most; --left) {
    if (at == acks_.end()) at = acks_.begin();
    const auto known = known_.find(at->first.first);
    if (known == known_.end()) {  // Revoked, or about to connect anew and say hello
      at = acks_.erase(at);
      continue;
    }
    auto message = make_ack(at->first, at->second, known->second);
    if (!message) {
      ++at;
      continue;
    }
    messages.push_back(std::move(*message));
    at = acks_.erase(at);
  }
  next_ack_ = at == acks_.end() ? AckKey() : at->first;
  return messages;
}

Result<mqtt::Message> IngestPipeline::make_ack(const AckKey& key, const PendingAck& pending,
                                               Known& known) {
  wire::Ack ack;
  ack.agent = key.first;
  ack.epoch = key.second;
  TRY(auto cursors, writer_.cursors(key.first, key.second));
  ack.contiguous = cursors.contiguous;
  ack.runs = std::move(cursors.runs);
  ack.credit_bytes = credits_.grant(key.first, key.second, clock_.steady_now());
  ack.server_time_ms = clock_.unix_ms();
  ack.challenge = known.challenge;
  if (const auto* session = known.session_of(key.second); session != nullptr && !pending.ask) {
    ack.session_nonce = session->nonce;
    ack.newest = session->newest;
    ack.forked = session->forked;
  }
  ack.need_series = pending.need_series;
  ack.need_inventory = pending.need_inventory;
  return mqtt::Message{topics::build(known.address, topics::Channel::kAck),
                       wire::seal_ack(ack, known.keys.down)};
}

void IngestPipeline::alert(const char* kind, const AgentId& agent, const std::string& message) {
  AlertKey key(kind, agent);
  if (collected_alerts_.size() >= kMaxAlertsApart && !collected_alerts_.contains(key))
    key.second = AgentId();
  const auto [place, is_new] = collected_alerts_.try_emplace(key);
  CollectedAlert& collected = place->second;
  model::Alert& row = collected.row;
  if (row.count == 0) {
    row.kind = kind;
    row.agent = key.second;
    row.first_ms = clock_.unix_ms();
  }
  row.message = message;
  row.last_ms = clock_.unix_ms();
  ++row.count;
  if (!is_new) return;
  log::warning(std::string(kind) + " " + agent.value() + ": " + message);
  write_alert(collected);
}

// What cannot be written is kept, and goes with the next write.
void IngestPipeline::write_alert(CollectedAlert& collected) {
  collected.next_write = clock_.steady_now() + kAlertEvery;
  if (collected.row.count > 0 && alerts_.raise(collected.row)) collected.row.count = 0;
}

void IngestPipeline::tick() {
  const auto now = clock_.steady_now();
  if (now < next_tick_) return;
  next_tick_ = now + kTickEvery;
  for (auto at = collected_alerts_.begin(); at != collected_alerts_.end();) {
    CollectedAlert& collected = at->second;
    if (now < collected.next_write) {
      ++at;
    } else if (collected.row.count == 0) {
      at = collected_alerts_.erase(at);
    } else {
      write_alert(collected);
      ++at;
    }
  }
}

void IngestPipeline::write_collected_alerts() {
  for (auto& [key, collected] : collected_alerts_) write_alert(collected);
}

}  // namespace observeai::controlplane
