// Commands and what belongs to them <-> bytes. One value has one form: decoding refuses (kCorrupt)
// whatever encoding would not produce, so unknown, repeated, reordered or overlong fields included, and
// what breaks the bounds below or command.proto. Decoding verifies no signature.
//
// Texts are UTF-8 that text::escape_unprintable() leaves as it is: what it returns always passes. Only
// output is bytes of any kind. Left to the signer and the executor, who have names for it: how long a
// command lives (kMaxCommandLifetimeMs), and whether its path is right.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command.h"

namespace observeai::wire {

inline constexpr std::size_t kMaxCommandBytes = 128U << 10;  // An encoded envelope with a command
// Its payload: room for the type and a few signatures beside it.
inline constexpr std::size_t kMaxCommandPayloadBytes = kMaxCommandBytes - 1024;
// Together with kMaxApprovals a command that always fits.
inline constexpr std::size_t kMaxIntentBytes = 64U << 10;
inline constexpr std::size_t kMaxApprovalBytes = 4096;  // Also of its envelope in a command
inline constexpr std::size_t kMaxParameters = 32;
inline constexpr std::size_t kMaxParameterNameBytes = 64;
inline constexpr std::size_t kMaxParameterBytes = 4096;
inline constexpr std::size_t kMaxApprovals = 8;  // In one command
inline constexpr std::uint32_t kMaxTier = 2;
inline constexpr std::uint32_t kMaxBatchSize = 100'000;
inline constexpr std::uint32_t kMinTimeoutMs = 1'000;
inline constexpr std::uint32_t kMaxTimeoutMs = 600'000;
inline constexpr std::uint32_t kMaxOutputBytes = 256U << 10;
inline constexpr std::int64_t kMaxCommandLifetimeMs = 24LL * 3'600'000;
inline constexpr std::size_t kMaxReasonBytes = 1024;  // Of people: messages, reasons
inline constexpr std::size_t kMaxPersonBytes = 128;   // As in root metadata
inline constexpr std::size_t kMaxChanges = 256;
inline constexpr std::size_t kMaxChangeBytes = 4096;      // Of each part
inline constexpr std::size_t kMaxDiffBytes = 256U << 10;  // Of all parts
inline constexpr std::size_t kMaxSteps = 64;
inline constexpr std::size_t kMaxStepNameBytes = 128;  // Its detail: kMaxReasonBytes
inline constexpr std::size_t kMaxFacts = 64;
inline constexpr std::size_t kMaxFactNameBytes = 128;     // Its value: kMaxReasonBytes
inline constexpr std::size_t kMaxResultReasonBytes = 64;  // [a-z_]
inline constexpr std::size_t kMaxTargetBytes = 4352;      // "directory/" and a path of 4095
// Whatever keeps the bounds above fits; its envelope fits one batch of lane 0.
inline constexpr std::size_t kMaxResultBytes = 768U << 10;
inline constexpr std::size_t kMaxResultEnvelopeBytes = kMaxResultBytes + 1024;
inline constexpr std::size_t kMaxMetaRoots = 16;
inline constexpr std::size_t kMaxStatementBytes = 4096;  // A time, an audit head, or its envelope
inline constexpr std::size_t kMaxMetaBytes = kMaxSealedBytes - signing::kSealOverheadBytes;

// Encoding fails with kInvalid or kLimit when a value breaks a bound.
Result<std::string> encode_intent(const Intent& intent);
Result<Intent> decode_intent(std::string_view bytes);
Result<std::string> encode_command(const Command& command);
Result<Command> decode_command(std::string_view bytes);
Result<std::string> encode_approval(const Approval& approval);
Result<Approval> decode_approval(std::string_view bytes);
Result<std::string> encode_result(const CommandResult& result);
Result<CommandResult> decode_result(std::string_view bytes);
Result<std::string> encode_time(const TimeStatement& time);
Result<TimeStatement> decode_time(std::string_view bytes);
Result<std::string> encode_audit_head(const AuditHead& head);
Result<AuditHead> decode_audit_head(std::string_view bytes);
Result<std::string> encode_meta(const Meta& meta);
Result<Meta> decode_meta(std::string_view bytes);

// down/cmd and down/meta: sealed for one agent, which is bound as associated data.
std::string seal_command(std::string_view envelope, const AgentId& agent,
                         const signing::SealingKey& key);
Result<std::string> open_command(std::string_view sealed, const AgentId& agent,
                                 const signing::SealingKey& key);
std::string seal_meta(std::string_view meta, const AgentId& agent, const signing::SealingKey& key);
Result<std::string> open_meta(std::string_view sealed, const AgentId& agent,
                              const signing::SealingKey& key);

// sha256 over the changes, each part with its length: what a person saw is what is compared.
Digest diff_digest(const std::vector<Change>& diff);
// Which enrollment of a host a command is for.
Bytes16 enrollment_id(const signing::VerifyKey& result_key);
// sha256 as a Digest.
Digest digest_of(std::string_view bytes);

}  // namespace observeai::wire
