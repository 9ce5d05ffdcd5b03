// Checks an export line by line, with nothing but the export and one hash that is known from elsewhere:
// that of the first root metadata, which every enrollment token and every host carries.
//
//   what                       how
//   an entry                   its hash is what its content and the entry before give
//   root metadata              the first is the pinned one; each other the successor of the one before
//   a signed head              signed by the audit key of a root in the chain, never of an older one than
//                              the head before; its hash is that of its entry
//   heads kept elsewhere       each is in the chain: see expect()
//
// Pure; one pass; holds no more than the heads that are expected.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/audit/chain.h"
#include "controlplane/audit/export_lines.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::controlplane::audit {

struct ExportReport {
  std::uint64_t after_seq = 0;  // The entries begin behind this one
  std::uint64_t entries = 0;
  model::AuditPoint end;
  std::uint64_t heads = 0;
  std::optional<wire::AuditHead> newest_head;
  std::uint64_t unsigned_entries = 0;  // Behind the newest head
  std::uint64_t expected_heads = 0;    // Kept elsewhere, and found in the chain
  std::string root_sha256;             // Of the first root in the export, "" when there is none
  std::uint64_t root_version = 0;      // The newest
  bool is_pinned = false;              // root_sha256 was given by who verifies
  bool is_part = false;                // The export says that there is more
};

class ExportVerifier {
 public:
  // 64 lower-case hex digits; "": the first root is believed because the export says so.
  explicit ExportVerifier(std::string pinned_root_sha256 = "")
      : pin_(std::move(pinned_root_sha256)) {}

  // A head that was kept outside of the control plane, before the first add(). kDenied: two of them
  // contradict each other. Its signature is not looked at: who keeps it vouches for it.
  Result<void> expect(const wire::AuditHead& head);
  // One line of the export without its end; empty ones count for nothing. The error says what is wrong
  // for people, with the entry that is the first not to fit; nothing more is to be added then.
  Result<void> add(std::string_view line);
  Result<ExportReport> finish();

 private:
  Result<void> take(const ExportBegin& begin);
  Result<void> take(const ExportRoot& root);
  Result<void> take(const model::AuditEntry& entry);
  Result<void> take(const model::SignedAuditHead& head);
  Result<void> take(const ExportMore& more);
  Result<void> compare(const wire::AuditHead& head, const char* who) const;

  const std::string pin_;
  std::uint64_t line_ = 0;
  bool has_begun_ = false;
  ChainVerifier chain_;
  std::uint64_t last_fitting_head_ = 0;
  std::vector<std::string> root_envelopes_;
  std::vector<signing::RootMetadata> roots_;  // The same
  std::size_t head_root_ = 0;                 // Whose audit key signed the newest head
  std::map<std::uint64_t, wire::AuditHead> expected_;
  ExportReport report_;
};

}  // namespace observeai::controlplane::audit
