// Remembers the signed heads of the control plane's audit log that this host was told, so that nobody
// rewrites history unseen: whoever holds the control plane's database, its signer's key included, does
// not hold what its hosts remember.
//
//   a head that is told              known before              what it means
//   number, hash known               the same                  nothing new
//   number known, another hash       -                         rewritten
//   lower than the highest           signed later than it      rewritten, or cut: the log was longer then
//   lower than the highest           signed before it          an old one, that a broker kept
//   higher than the highest          -                         the log has grown
//
// Entries that were added and removed between two heads stay invisible.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/spool/spool.h"
#include "protocol/base/result.h"
#include "protocol/signing/keys.h"
#include "protocol/wire/command.h"

namespace observeai::agent {

// One thread: the spool's, which outlives it.
class AuditWitness {
 public:
  static constexpr const char* kFact = "audit_heads";  // Of the spool
  static constexpr const char* kRewritten = "audit.rewritten";
  static constexpr std::size_t kKeptHeads = 64;            // Those with the highest numbers
  static constexpr std::int64_t kAgainMs = 3'600'000;      // The same again is told no sooner
  static constexpr std::size_t kMaxEnvelopeBytes = 4'096;  // One with one signature is below 300

  // Starts from what the spool remembers. A fact that cannot be read is forgotten with the event that
  // take_event() gives: a witness without memory must not pass for one.
  static Result<AuditWitness> create(Spool& spool, std::int64_t now_ms);

  enum class Verdict { kNew, kKnown, kOld, kRewritten };
  // `envelope`: Meta::audit_head, or one of a command. `audit_key`: of the root metadata in force.
  // kDenied: not signed by it; kCorrupt, kLimit: no head; nothing is remembered of those. What is new is
  // in the spool on return, or is written by the next call that can: kUnavailable is never returned.
  Result<Verdict> take(std::string_view envelope, const signing::VerifyKey& audit_key,
                       std::int64_t now_ms);
  // For lane 0, at once, severity critical: once after each take() that says kRewritten, but the same
  // again only after kAgainMs.
  std::optional<wire::Event> take_event();

  // What a hello says (ExecutorReport::audit_seq, audit_hash): the highest; 0 and zeros: none.
  std::uint64_t seq() const;
  wire::Digest hash() const;

 private:
  struct Known {
    wire::Digest hash{};
    std::int64_t unix_ms = 0;
  };
  using Heads = std::map<std::uint64_t, Known>;

  explicit AuditWitness(Spool& spool) : spool_(&spool) {}
  static std::string pack(const Heads& heads);
  static Result<Heads> unpack(std::string_view text);
  Verdict judge(const wire::AuditHead& head, std::string& why) const;
  void save();
  void tell(std::string message, std::int64_t now_ms);

  Spool* spool_;
  Heads heads_;
  bool is_saved_ = true;
  std::optional<wire::Event> event_;
  wire::AuditHead told_;  // The newest that did not fit
  std::int64_t told_ms_ = 0;
};

}  // namespace observeai::agent
