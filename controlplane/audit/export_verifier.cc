#include "controlplane/audit/export_verifier.h"

#include "controlplane/audit/heads.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane::audit {
namespace {

constexpr std::int64_t kAnyTime = 0;  // Expired metadata proves what was signed as well
constexpr std::size_t kMaxExpected = 1'000'000;

std::string entry_name(std::uint64_t seq) {
  return "entry " + std::to_string(seq);
}

std::string when(const wire::AuditHead& head) {
  return text::format_time_ms(head.unix_ms);
}

}  // namespace

Result<void> ExportVerifier::expect(const wire::AuditHead& head) {
  const auto [known, is_new] = expected_.emplace(head.seq, head);
  if (expected_.size() > kMaxExpected) return Error(Errc::kLimit, "too many heads");
  if (is_new || known->second.hash == head.hash) return {};
  return Error(Errc::kDenied, "two heads that were kept contradict each other about " +
                                  entry_name(head.seq) + ": the log was rewritten between " +
                                  when(known->second) + " and " + when(head));
}

Result<void> ExportVerifier::add(std::string_view line) {
  ++line_;
  if (text::trim(line).empty()) return {};
  auto parsed = parse_line(line);
  if (!parsed) {
    return std::move(parsed).error().with_context(
        "line " + std::to_string(line_) +
        (chain_.tip().seq > 0 ? " (behind " + entry_name(chain_.tip().seq) + ")" : ""));
  }
  if (!has_begun_ && !std::holds_alternative<ExportBegin>(*parsed)) {
    return Error(Errc::kCorrupt, "this is no export of an audit log: its first line says no " +
                                     std::string(kExportFormat));
  }
  report_.is_part = false;
  return std::visit([this](const auto& value) { return take(value); }, *parsed);
}

Result<void> ExportVerifier::take(const ExportBegin& begin) {
  if (has_begun_) {  // The next page
    if (begin.after == chain_.tip()) return {};
    return Error(Errc::kCorrupt, "line " + std::to_string(line_) + ": a part that begins behind " +
                                     entry_name(begin.after.seq) + " stands behind " +
                                     entry_name(chain_.tip().seq));
  }
  if (begin.after.seq == 0 && begin.after.hash != wire::Digest{})
    return Error(Errc::kCorrupt, "the first line gives a hash to the beginning of the log");
  has_begun_ = true;
  report_.after_seq = begin.after.seq;
  chain_ = ChainVerifier(begin.after);
  return {};
}

Result<void> ExportVerifier::take(const ExportRoot& root) {
  if (std::find(root_envelopes_.begin(), root_envelopes_.end(), root.envelope) !=
      root_envelopes_.end())
    return {};
  Result<wire::VerifiedRoot> verified;
  if (roots_.empty()) {
    report_.root_sha256 = signing::sha256_hex(root.envelope);
    report_.is_pinned = !pin_.empty();
    if (!pin_.empty() && pin_ != report_.root_sha256) {
      return Error(Errc::kDenied,
                   "the export's root metadata is not the one you trust: its sha256 is " +
                       report_.root_sha256 + ", yours " + pin_);
    }
    verified = wire::verify_pinned_root(root.envelope, report_.root_sha256, kAnyTime);
  } else {
    verified = wire::verify_next_root(roots_.back(), root.envelope, kAnyTime);
  }
  if (!verified) return std::move(verified).error().with_context("root metadata");
  roots_.push_back(verified->root);
  root_envelopes_.push_back(root.envelope);
  report_.root_version = roots_.back().version;
  return {};
}

Result<void> ExportVerifier::take(const model::AuditEntry& entry) {
  TRY_VOID(chain_.add(entry));
  ++report_.entries;
  if (const auto known = expected_.find(entry.seq); known != expected_.end()) {
    TRY_VOID(compare(known->second, "a head that was kept elsewhere"));
    ++report_.expected_heads;
    last_fitting_head_ = entry.seq;
  }
  return {};
}

Result<void> ExportVerifier::take(const model::SignedAuditHead& head) {
  std::vector<signing::VerifyKey> keys;
  for (const auto& root : roots_) keys.push_back(root.audit_key);
  const auto signer = signer_of_head(head.envelope, keys);
  if (!signer) {
    return Error(Errc::kDenied,
                 "the head of " + entry_name(head.head.seq) +
                     " is forged: the audit key of the root metadata did not sign it");
  }
  if (*signer < head_root_) {
    return Error(Errc::kDenied, "the head of " + entry_name(head.head.seq) +
                                    " is signed by an audit key that was replaced before");
  }
  head_root_ = *signer;
  if (head.head.seq > chain_.tip().seq) {
    return Error(Errc::kCorrupt, entry_name(chain_.tip().seq + 1) +
                                     (head.head.seq - chain_.tip().seq > 1
                                          ? " and all up to " + entry_name(head.head.seq) + " are"
                                          : " is") +
                                     " missing: they were there when a head was signed at " +
                                     when(head.head));
  }
  if (head.head.seq < chain_.tip().seq) {
    return Error(Errc::kCorrupt, "the order was changed: the head of " + entry_name(head.head.seq) +
                                     " stands behind " + entry_name(chain_.tip().seq));
  }
  TRY_VOID(compare(head.head, "a head"));
  last_fitting_head_ = head.head.seq;
  report_.newest_head = head.head;
  ++report_.heads;
  return {};
}

Result<void> ExportVerifier::compare(const wire::AuditHead& head, const char* who) const {
  if (head.hash == chain_.tip().hash) return {};
  return Error(Errc::kCorrupt,
               "the log was rewritten: " + std::string(who) + " signed at " + when(head) +
                   " says another " + entry_name(head.seq) +
                   ". The first entry that was changed is " + "one from " +
                   std::to_string(std::max(last_fitting_head_, report_.after_seq) + 1) + " to " +
                   std::to_string(head.seq));
}

Result<void> ExportVerifier::take(const ExportMore& more) {
  if (more.after_seq != chain_.tip().seq) {
    return Error(Errc::kCorrupt, "line " + std::to_string(line_) + ": the end of a part behind " +
                                     entry_name(more.after_seq) + " stands behind " +
                                     entry_name(chain_.tip().seq));
  }
  report_.is_part = true;
  return {};
}

Result<ExportReport> ExportVerifier::finish() {
  if (!has_begun_) return Error(Errc::kCorrupt, "this is no export of an audit log: it is empty");
  report_.end = chain_.tip();
  if (!report_.is_part && !expected_.empty() && expected_.rbegin()->first > report_.end.seq) {
    const auto& head = expected_.rbegin()->second;
    return Error(Errc::kCorrupt, "the log ends with " + entry_name(report_.end.seq) + ", but " +
                                     entry_name(head.seq) + " was there at " + when(head) + ": " +
                                     std::to_string(head.seq - report_.end.seq) +
                                     " entries are gone");
  }
  report_.unsigned_entries =
      report_.end.seq - (report_.newest_head ? report_.newest_head->seq : report_.after_seq);
  return report_;
}

}  // namespace observeai::controlplane::audit
