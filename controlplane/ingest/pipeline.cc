#include "controlplane/ingest/pipeline.h"

#include "protocol/base/log.h"
#include "protocol/wire/sealed.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kSeenEveryMs = 10'000;  // last_seen is written no more often than this
constexpr std::chrono::seconds kTickEvery(1);
constexpr std::size_t kMaxUnreadable = 10'000;  // Counts kept at most; beyond, they start over
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
      limits_(limits) {}

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
  auto found = known_.find(claimed.agent);
  if (found == known_.end()) {
    const auto record = registry_.find(claimed.agent);
    if (!record) {
      refuse("store_error");
      return nullptr;
    }
    if (!*record) {
      refuse("unknown_agent");
      return nullptr;
    }
    if ((*record)->state != model::AgentState::kActive) {
      refuse((*record)->state == model::AgentState::kRevoked ? "revoked" : "not_confirmed");
      return nullptr;
    }
    auto keys = signing::controlplane_session_keys(keys_, (*record)->sealing_public_key);
    if (!keys) {
      refuse("forged");
      return nullptr;
    }
    Known known{{(*record)->tenant, (*record)->shard, claimed.agent}, std::move(*keys), 0};
    found = known_.emplace(claimed.agent, std::move(known)).first;
  }
  if (found->second.address != claimed) {
    refuse("topic_mismatch");
    return nullptr;
  }
  return &found->second;
}

void IngestPipeline::take_hello(Known& known, const std::string& payload) {
  const AgentId& agent = known.address.agent;
  auto hello = wire::open_hello(payload, agent, known.keys.up);
  if (!hello || hello->agent != agent) {
    refuse("forged");
    alert("hello.forged", agent, "a hello under this agent's name did not carry its seal");
    return;
  }
  ++counters_.hellos;
  const auto finding = sessions_.observe(*hello);
  if (finding.is_replay) {
    refuse("replayed");
    return;
  }
  if (finding.clone) alert("agent.clone", agent, *finding.clone);

  const std::int64_t now_ms = clock_.unix_ms();
  known.seen_written_ms = now_ms;
  ignore(registry_.seen(agent, now_ms, *hello),
         "last_seen is for people; the next hello writes it again");

  PendingAck& ack = acks_[{agent, hello->epoch}];
  ack.session_nonce = hello->session_nonce;
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
  batches_.push_back(std::move(*batch));
}

void IngestPipeline::commit_group() {
  if (batches_.empty()) return;
  const auto outcomes = writer_.commit_all(batches_);
  if (!outcomes) {
    counters_.refused["store_error"] += batches_.size();
    log::error("store refused a commit, agents keep the data: " + outcomes.error().message());
  } else {
    for (std::size_t i = 0; i < batches_.size(); ++i) settle(batches_[i], (*outcomes)[i]);
  }
  batches_.clear();
}

// Only for what is new: an old batch can be published again without its host.
void IngestPipeline::note_seen(const AgentId& agent) {
  const auto known = known_.find(agent);
  const std::int64_t now_ms = clock_.unix_ms();
  if (known == known_.end() || now_ms - known->second.seen_written_ms < kSeenEveryMs) return;
  known->second.seen_written_ms = now_ms;
  ignore(registry_.seen(agent, now_ms, std::nullopt), "the next batch writes it again");
}

void IngestPipeline::settle(const wire::Batch& batch, const Result<model::CommitOutcome>& outcome) {
  const AgentId& agent = batch.header.agent;
  if (!outcome) {
    if (outcome.error().code() == Errc::kCorrupt) {
      settle_corrupt(batch, outcome.error());
    } else {
      refuse("store_error");
    }
    return;
  }
  PendingAck& ack = acks_[{agent, batch.header.epoch}];
  switch (*outcome) {
    case model::CommitOutcome::kStored:
      ++counters_.batches_stored;
      counters_.signals_stored[static_cast<std::size_t>(batch.header.lane)] += batch.header.n;
      note_seen(agent);
      break;
    case model::CommitOutcome::kDuplicate:
      ++counters_.batches_duplicate;
      break;
    case model::CommitOutcome::kConflict:
      refuse("conflict");
      alert("agent.clone", agent,
            "a batch number came twice with different content: a clone, or tampering");
      break;
    case model::CommitOutcome::kNeedSeries:
      refuse("need_series");
      ack.need_series = true;
      break;
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
  acks_[{agent, batch.header.epoch}];
}

// Counts refusals of one content under one number; true when there were enough of them.
bool IngestPipeline::is_hopeless(const wire::Batch& batch) {
  const auto& header = batch.header;
  if (unreadable_.size() >= kMaxUnreadable) unreadable_.clear();
  const BatchKey key(header.agent, header.epoch, header.lane, header.seq);
  Refusals& refusals = unreadable_[key];
  const std::size_t content = std::hash<std::string>()(batch.body);
  if (refusals.content != content) refusals = {content, 0};
  if (++refusals.count < kRefusalsUntilGivenUp) return false;
  unreadable_.erase(key);
  return true;
}

std::vector<mqtt::Message> IngestPipeline::take_acks(std::size_t most) {
  std::vector<mqtt::Message> messages;
  for (auto at = acks_.begin(); at != acks_.end() && messages.size() < most;) {
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
  return messages;
}

Result<mqtt::Message> IngestPipeline::make_ack(const AckKey& key, const PendingAck& pending,
                                               Known& known) {
  wire::Ack ack;
  ack.agent = key.first;
  ack.epoch = key.second;
  TRY(ack.contiguous, writer_.contiguous(key.first, key.second));
  ack.credit_bytes = limits_.credit_bytes;
  ack.server_time_ms = clock_.unix_ms();
  ack.session_nonce = pending.session_nonce;
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
