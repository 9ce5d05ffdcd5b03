// Which process of an agent is believed, and who is asked for a hello.
#include <algorithm>

#include "controlplane/ingest/pipeline.h"
#include "protocol/base/log.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane {

IngestPipeline::Session* IngestPipeline::Known::any_session_of(const Epoch& epoch) {
  const auto found = std::find_if(sessions.begin(), sessions.end(),
                                  [&](const Session& session) { return session.epoch == epoch; });
  return found == sessions.end() ? nullptr : &*found;
}

IngestPipeline::Session* IngestPipeline::Known::session_of(const Epoch& epoch) {
  auto* session = any_session_of(epoch);
  return session != nullptr && session->believed ? session : nullptr;
}

IngestPipeline::Session& IngestPipeline::begin_session(Known& known, const wire::Hello& hello) {
  Session session;
  if (const auto* before = known.any_session_of(hello.epoch)) {
    if (before->nonce == hello.session_nonce) session = *before;
    std::erase_if(known.sessions, [&](const auto& old) { return old.epoch == hello.epoch; });
  }
  if (known.sessions.size() >= kMaxSessions) known.sessions.erase(known.sessions.begin());
  session.epoch = hello.epoch;
  session.nonce = hello.session_nonce;
  session.believed = true;
  known.sessions.push_back(session);
  return known.sessions.back();
}

void IngestPipeline::judge(Known& known, const wire::Hello& hello,
                           const model::SpoolComparison& comparison,
                           const SessionTracker::Finding& finding) {
  if (finding.took_over) signing::random_bytes(known.challenge);
  Session& session = begin_session(known, hello);
  session.newest = comparison.newest;
  bool is_older = false;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    // What this session itself sent after it made the hello proves nothing.
    is_older = is_older || comparison.ahead[lane] > session.highest[lane];
    if (hello.next_seq[lane] > 0)
      session.highest[lane] = std::max(session.highest[lane], hello.next_seq[lane] - 1);
  }
  const bool is_news = !session.forked && (comparison.differs || is_older);
  if (is_news) {
    session.forked = true;
    ++counters_.forks;
  }
  const AgentId& agent = known.address.agent;
  if (finding.clone) {
    alert("agent.clone", agent, *finding.clone);
  } else if (is_news) {
    alert(
        "agent.restored", agent,
        std::string("the disk of this host is an older copy of itself, or the host was cloned") +
            (comparison.differs ? "; it has since written other data under the same numbers" : "") +
            ": its agent begins a new epoch, nothing is lost");
  } else if (finding.restored) {
    alert("agent.restored", agent, *finding.restored);
  }
}

// An earlier hello under the present challenge: the broker kept it, or the host was resumed from a
// snapshot of its memory, and its process counts from there. Only who lives can echo a new challenge.
void IngestPipeline::question(Known& known, const wire::Hello& hello) {
  const auto now = clock_.steady_now();
  if (now < known.next_question) return;
  known.next_question = now + kQuestionEvery;
  signing::random_bytes(known.challenge);
  // All of this lies below any number of a hello that echoes the new one, of the same spool.
  for (auto& session : known.sessions) session.highest = {};
  acks_[{hello.agent, hello.epoch}].ask = true;
}

bool IngestPipeline::is_of_session(Known& known, const wire::BatchHeader& header) {
  const auto* session = known.session_of(header.epoch);
  if (session == nullptr || wire::session_tag(session->nonce) != header.session) {
    refuse("other_session");
  } else if (session->forked) {
    refuse("forked");
  } else {
    return true;
  }
  acks_[{header.agent, header.epoch}];  // Asks for a hello, or says again what is to be done
  return false;
}

void IngestPipeline::note_settled(const wire::BatchHeader& header) {
  const auto known = known_.find(header.agent);
  if (known == known_.end()) return;
  auto* session = known->second.session_of(header.epoch);
  if (session == nullptr) return;
  auto& highest = session->highest[static_cast<std::size_t>(header.lane)];
  highest = std::max(highest, header.seq);
}

void IngestPipeline::settle_conflict(const wire::BatchHeader& header) {
  refuse("conflict");
  alert("agent.clone", header.agent,
        "a batch number came twice with different content: a clone, or tampering");
  const auto known = known_.find(header.agent);
  auto* session = known == known_.end() ? nullptr : known->second.session_of(header.epoch);
  if (session == nullptr || session->forked) return;
  session->forked = true;
  ++counters_.forks;
}

void IngestPipeline::ask_for_hellos() {
  // What they have sent is kept: a hello that is delivered late must not look like that of an older disk.
  for (auto& [agent, known] : known_) {
    for (auto& session : known.sessions) session.believed = false;
  }
  to_ask_.clear();
  const auto all = registry_.list(TenantId());
  if (!all) {
    log::warning("agents are not asked for a hello: " + all.error().message());
    return;
  }
  for (const auto& record : *all) {
    if (record.state == model::AgentState::kActive && record.last_hello)
      to_ask_.push_back(record.id);
  }
  next_ask_ = clock_.steady_now();
}

void IngestPipeline::ask_next() {
  constexpr auto kBetween = std::chrono::nanoseconds(std::chrono::seconds(1)) / kAskedPerSecond;
  const auto now = clock_.steady_now();
  while (!to_ask_.empty() && next_ask_ <= now) {
    next_ask_ += kBetween;
    const AgentId agent = std::move(to_ask_.front());
    to_ask_.pop_front();
    const auto record = registry_.find(agent);
    const char* why_not = nullptr;
    Known* known = record && *record && (*record)->last_hello ? know(agent, why_not) : nullptr;
    if (known == nullptr || known->session_of((*record)->last_hello->epoch) != nullptr) continue;
    acks_[{agent, (*record)->last_hello->epoch}];
    ++counters_.asked;
  }
}

}  // namespace observeai::controlplane
