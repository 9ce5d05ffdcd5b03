#include "observeai/v1/command.pb.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/detail/command_fields.h"
#include "protocol/wire/detail/framing.h"
#include "protocol/wire/envelope_codec.h"

// What keeps an executor informed (time, audit heads, roots), and the seals of both topics downwards.
namespace observeai::wire {
namespace {

using detail::FieldReader;
using detail::require;

Result<std::string> open_bounded(std::string_view sealed, std::size_t limit,
                                 std::string_view domain, const AgentId& agent,
                                 const signing::SealingKey& key) {
  TRY_VOID(detail::check_at_most(sealed.size(), limit + signing::kSealOverheadBytes,
                                 "bytes of a sealed message"));
  return signing::open(sealed, detail::associated_data(domain, agent.value()), key);
}

Result<void> check(const Meta& meta) {
  TRY_VOID(detail::check_at_most(meta.roots.size(), kMaxMetaRoots, "meta: roots"));
  for (const auto& root : meta.roots) {
    TRY_VOID(require(!root.empty(), "meta", "an empty root"));
  }
  TRY_VOID(detail::check_at_most(meta.time.size(), kMaxStatementBytes, "meta: bytes of time"));
  return detail::check_at_most(meta.audit_head.size(), kMaxStatementBytes,
                               "meta: bytes of audit head");
}

}  // namespace

Result<std::string> encode_time(const TimeStatement& time) {
  TRY_VOID(require(!time.agent.empty(), "time", "no agent"));
  TRY_VOID(require(!detail::is_zero(time.challenge), "time", "no challenge"));
  TRY_VOID(require(detail::is_time(time.unix_ms) && time.unix_ms > 0, "time", "not in range"));
  v1::TimeStatement out;
  out.set_agent(time.agent.value());
  out.set_challenge(detail::verbatim(time.challenge));
  out.set_unix_ms(time.unix_ms);
  return detail::serialize(out, kMaxStatementBytes, "time");
}

Result<TimeStatement> decode_time(std::string_view bytes) {
  return detail::decode_exactly<v1::TimeStatement, TimeStatement>(
      bytes, kMaxStatementBytes, detail::kFlatShape, "time",
      [](const v1::TimeStatement& in, TimeStatement& out, FieldReader& reader) {
        reader.id(in.agent(), out.agent);
        reader.bytes(in.challenge(), out.challenge);
        out.unix_ms = in.unix_ms();
      },
      encode_time);
}

Result<std::string> encode_audit_head(const AuditHead& head) {
  TRY_VOID(require(head.seq > 0, "audit head", "entries count from 1"));
  TRY_VOID(require(!detail::is_zero(head.hash), "audit head", "no hash"));
  TRY_VOID(require(detail::is_time(head.unix_ms), "audit head", "the time is not in range"));
  v1::AuditHead out;
  out.set_seq(head.seq);
  out.set_hash(detail::verbatim(head.hash));
  out.set_unix_ms(head.unix_ms);
  return detail::serialize(out, kMaxStatementBytes, "audit head");
}

Result<AuditHead> decode_audit_head(std::string_view bytes) {
  return detail::decode_exactly<v1::AuditHead, AuditHead>(
      bytes, kMaxStatementBytes, detail::kFlatShape, "audit head",
      [](const v1::AuditHead& in, AuditHead& out, FieldReader& reader) {
        out.seq = in.seq();
        reader.bytes(in.hash(), out.hash);
        out.unix_ms = in.unix_ms();
      },
      encode_audit_head);
}

Result<std::string> encode_meta(const Meta& meta) {
  TRY_VOID(check(meta));
  v1::Meta out;
  for (const auto& root : meta.roots) out.add_roots(root);
  out.set_time(meta.time);
  out.set_audit_head(meta.audit_head);
  return detail::serialize(out, kMaxMetaBytes, "meta");
}

Result<Meta> decode_meta(std::string_view bytes) {
  return detail::decode_exactly<v1::Meta, Meta>(
      bytes, kMaxMetaBytes, detail::kMetaShape, "meta",
      [](const v1::Meta& in, Meta& out, FieldReader&) {
        out.roots.assign(in.roots().begin(), in.roots().end());
        out.time = in.time();
        out.audit_head = in.audit_head();
      },
      encode_meta);
}

std::string seal_command(std::string_view envelope, const AgentId& agent,
                         const signing::SealingKey& key) {
  return signing::seal(envelope, detail::associated_data(detail::kCommandDomain, agent.value()),
                       key);
}

Result<std::string> open_command(std::string_view sealed, const AgentId& agent,
                                 const signing::SealingKey& key) {
  return open_bounded(sealed, kMaxCommandBytes, detail::kCommandDomain, agent, key);
}

std::string seal_meta(std::string_view meta, const AgentId& agent, const signing::SealingKey& key) {
  return signing::seal(meta, detail::associated_data(detail::kMetaDomain, agent.value()), key);
}

Result<std::string> open_meta(std::string_view sealed, const AgentId& agent,
                              const signing::SealingKey& key) {
  return open_bounded(sealed, kMaxMetaBytes, detail::kMetaDomain, agent, key);
}

Digest digest_of(std::string_view bytes) {
  return signing::sha256(bytes);
}

Bytes16 enrollment_id(const signing::VerifyKey& result_key) {
  const auto whole = digest_of(text::as_text(result_key.bytes));
  Bytes16 out{};
  std::copy_n(whole.begin(), out.size(), out.begin());
  return out;
}

}  // namespace observeai::wire
