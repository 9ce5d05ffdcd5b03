#include "agent/uplink/audit_witness.h"

#include <algorithm>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::agent {
namespace {

std::string entry_name(std::uint64_t seq) {
  return "entry " + std::to_string(seq);
}

// First digits are enough for people to compare.
std::string shown(const wire::Digest& hash) {
  return text::to_hex(hash).substr(0, 16);
}

}  // namespace

Result<AuditWitness> AuditWitness::create(Spool& spool, std::int64_t now_ms) {
  AuditWitness witness(spool);
  TRY(const auto fact, spool.fact(kFact));
  if (!fact) return witness;
  auto heads = unpack(*fact);
  if (heads) {
    witness.heads_ = std::move(*heads);
  } else {
    witness.tell(
        "what this host remembered of the control plane's audit log is damaged and is "
        "forgotten: it cannot tell whether the log was rewritten before now",
        now_ms);
  }
  return witness;
}

Result<AuditWitness::Verdict> AuditWitness::take(std::string_view envelope,
                                                 const signing::VerifyKey& audit_key,
                                                 std::int64_t now_ms) {
  if (!is_saved_) save();
  if (envelope.size() > kMaxEnvelopeBytes)
    return Error(Errc::kLimit, "longer than any signed audit head");
  TRY(const auto opened, wire::decode_envelope(envelope));
  TRY_VOID(signing::verify(opened, wire::kAuditHeadType, 1, std::span(&audit_key, 1)));
  TRY(const auto head, wire::decode_audit_head(opened.payload));
  std::string why;
  const auto verdict = judge(head, why);
  if (verdict == Verdict::kRewritten) {
    const bool is_same = told_.seq == head.seq && told_.hash == head.hash;
    if (!is_same || now_ms - told_ms_ >= kAgainMs || now_ms < told_ms_) {
      told_ = head;
      tell(std::move(why), now_ms);
    }
  }
  if (verdict != Verdict::kNew) return verdict;
  heads_[head.seq] = {head.hash, head.unix_ms};
  while (heads_.size() > kKeptHeads) heads_.erase(heads_.begin());
  save();
  return verdict;
}

AuditWitness::Verdict AuditWitness::judge(const wire::AuditHead& head, std::string& why) const {
  if (const auto known = heads_.find(head.seq); known != heads_.end()) {
    if (known->second.hash == head.hash) return Verdict::kKnown;
    why = "the control plane's audit log was rewritten: " + entry_name(head.seq) +
          " was signed at " + text::format_time_ms(known->second.unix_ms) + " with the hash " +
          shown(known->second.hash) + ", and at " + text::format_time_ms(head.unix_ms) + " with " +
          shown(head.hash);
    return Verdict::kRewritten;
  }
  if (heads_.empty() || head.seq > heads_.rbegin()->first) return Verdict::kNew;
  const auto& [highest, newest] = *heads_.rbegin();
  if (head.unix_ms <= newest.unix_ms) return Verdict::kOld;
  why = "the control plane's audit log was cut, or is an older copy: " + entry_name(highest) +
        " was signed at " + text::format_time_ms(newest.unix_ms) + ", and at " +
        text::format_time_ms(head.unix_ms) + " the log ended with " + entry_name(head.seq);
  return Verdict::kRewritten;
}

std::optional<wire::Event> AuditWitness::take_event() {
  return std::exchange(event_, std::nullopt);
}

void AuditWitness::tell(std::string message, std::int64_t now_ms) {
  log::error(message);
  told_ms_ = now_ms;
  wire::Event event;
  event.ts_ms = now_ms;
  event.kind = kRewritten;
  event.target = wire::kHostTarget;
  event.severity = wire::Severity::kCritical;
  event.message = std::move(message);
  event_ = std::move(event);
}

std::uint64_t AuditWitness::seq() const {
  return heads_.empty() ? 0 : heads_.rbegin()->first;
}

wire::Digest AuditWitness::hash() const {
  return heads_.empty() ? wire::Digest{} : heads_.rbegin()->second.hash;
}

void AuditWitness::save() {
  const auto written = spool_->set_fact(kFact, pack(heads_));
  if (!written && is_saved_)
    log::warning("audit heads are not remembered yet: " + written.error().message());
  is_saved_ = written.has_value();
}

// "<seq> <hash> <unix_ms>\n", ascending.
std::string AuditWitness::pack(const Heads& heads) {
  std::string out;
  for (const auto& [seq, known] : heads) {
    out += std::to_string(seq) + " " + text::to_hex(known.hash) + " " +
           std::to_string(known.unix_ms) + "\n";
  }
  return out;
}

Result<AuditWitness::Heads> AuditWitness::unpack(std::string_view text) {
  const Error damaged(Errc::kCorrupt, "audit heads are damaged");
  Heads heads;
  for (const auto line : text::split(text, '\n')) {
    if (line.empty()) continue;
    const auto words = text::split(line, ' ');
    if (words.size() != 3) return damaged;
    const auto seq = text::parse_u64(words[0]);
    const auto hash = text::from_hex(words[1]);
    const auto unix_ms = text::parse_i64(words[2]);
    Known known;
    if (!seq || !unix_ms || !hash || hash->size() != known.hash.size()) return damaged;
    std::copy(hash->begin(), hash->end(), known.hash.begin());
    known.unix_ms = *unix_ms;
    heads[*seq] = known;
  }
  if (heads.size() > kKeptHeads || pack(heads) != text) return damaged;
  return heads;
}

}  // namespace observeai::agent
