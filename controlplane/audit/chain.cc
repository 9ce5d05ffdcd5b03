#include "controlplane/audit/chain.h"

#include <array>
#include <string_view>

#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane::audit {
namespace {

constexpr std::string_view kDomain("observeai.audit.v1\0", 19);

void add_number(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFFU);
}

std::string name_of(std::uint64_t seq) {
  return "entry " + std::to_string(seq);
}

std::string described(const model::AuditEntry& entry) {
  constexpr std::size_t kShown = 60;
  return name_of(entry.seq) + " (" + text::format_time_ms(entry.ts_ms) + ", " +
         text::escape_unprintable(entry.actor, kShown) + ", " +
         text::escape_unprintable(entry.action, kShown) + ")";
}

}  // namespace

std::string entry_bytes(const model::AuditEntry& entry) {
  std::string out;
  add_number(out, static_cast<std::uint64_t>(entry.ts_ms));
  for (const auto* text : {&entry.actor, &entry.action, &entry.object, &entry.detail}) {
    add_number(out, text->size());
    out += *text;
  }
  return out;
}

wire::Digest chain_hash(std::uint64_t seq, const wire::Digest& before,
                        const model::AuditEntry& entry) {
  std::string bytes(kDomain);
  add_number(bytes, seq);
  bytes += text::as_text(before);
  bytes += text::as_text(signing::sha256(entry_bytes(entry)));
  return signing::sha256(bytes);
}

Result<void> ChainVerifier::add(const model::AuditEntry& entry) {
  if (entry.seq == tip_.seq && entry.seq != 0)
    return Error(Errc::kCorrupt, name_of(entry.seq) + " is there twice");
  if (entry.seq <= tip_.seq) {
    return Error(Errc::kCorrupt, "the order was changed: " + name_of(entry.seq) +
                                     " stands behind " + name_of(tip_.seq));
  }
  const std::uint64_t next = tip_.seq + 1;
  if (entry.seq > next) {
    return Error(
        Errc::kCorrupt,
        name_of(next) + " is missing" +
            (entry.seq - next > 1 ? ", and so is all up to " + name_of(entry.seq - 1) : "") +
            ": the next one there is " + described(entry));
  }
  if (entry.hash == wire::Digest{}) {
    return Error(Errc::kCorrupt,
                 described(entry) + " has no hash: it was not written by the control plane");
  }
  if (entry.hash != chain_hash(entry.seq, tip_.hash, entry)) {
    return Error(Errc::kCorrupt,
                 described(entry) + " was changed, put in, or moved after it was written");
  }
  tip_ = {entry.seq, entry.hash};
  return {};
}

}  // namespace observeai::controlplane::audit
