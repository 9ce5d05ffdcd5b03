// Plain values <-> bytes. Encoding is deterministic: equal values give equal bytes on every machine.
// Decoding trusts nothing: every length is bounded, any malformed input is kCorrupt, never a crash,
// and what a body claims to hold is counted before memory is taken for it: at most kMaxBodyBytes of
// text (up to three copies while it is converted) and kMaxDecodedBytes of structure.
// Thread-safe; each thread that packs keeps a zstd context of about 1.3 MB.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/wire/messages.h"

namespace observeai::wire {

inline constexpr std::size_t kMaxBodyBytes = 8U << 20;  // Decompressed body
inline constexpr std::size_t kMaxSealedBytes = 1U
                                               << 20;  // One MQTT message: the broker's limit too
inline constexpr std::size_t kMaxDecodedBytes = 32U << 20;  // Plain values of a body, without text
inline constexpr std::size_t kMaxHeaderBytes = 512;         // An encoded BatchHeader: about 150
inline constexpr std::size_t kMaxAckRuns = 64;              // For each lane
inline constexpr std::size_t kMaxPendingTags = 128;         // For each lane and end
inline constexpr std::size_t kMaxLossSources = 2048;        // A notice of so many fits a message
inline constexpr std::size_t kMaxLossSourceBytes = 256;     // A source's name
// What encode_* return: leaves room for header, seal and framing in kMaxSealedBytes.
inline constexpr std::size_t kMaxPackedBytes = kMaxSealedBytes - 1024;

// Body = codec(columnar protobuf). Encoders fail with kLimit when the result would exceed the
// bounds: the caller splits; and with kInvalid for values that break the rules in signals.h (labels
// not sorted by name or not unique, series not ascending, unknown enumerator). Decoders refuse the
// same as kCorrupt.
Result<std::string> encode_control(const ControlBatch& batch);
Result<std::string> encode_samples(const SampleBatch& batch);
Result<std::string> encode_logs(const LogBatch& batch);
Result<ControlBatch> decode_control(std::string_view body, Codec codec);
Result<SampleBatch> decode_samples(std::string_view body, Codec codec);
Result<LogBatch> decode_logs(std::string_view body, Codec codec);

// The body of a batch with Codec::kLost. Encoding refuses with kLimit what is above the bounds and
// with kInvalid a bad reason or names that do not ascend strictly; decoding refuses both as kCorrupt.
Result<std::string> encode_loss(const LossNotice& notice);
Result<LossNotice> decode_loss(std::string_view body);

// Of the packed body; never all zeros.
ContentTag content_tag(std::string_view body);
SessionTag session_tag(const Nonce16& nonce);

// Unsealed forms for storage, hello and ack. encode_ack keeps the lowest kMaxAckRuns runs.
std::string encode_header(const BatchHeader& header);
Result<BatchHeader> decode_header(std::string_view bytes);
std::string encode_hello(const Hello& hello);
Result<Hello> decode_hello(std::string_view bytes);
std::string encode_ack(const Ack& ack);
Result<Ack> decode_ack(std::string_view bytes);

// Hex sha256 over the canonical bytes of the inventory: both sides keep the same sections and compare.
// Order of the input does not matter (entries are sorted by key). ts_ms and `full` are not included.
std::string inventory_digest(const InventoryUpdate& whole);

}  // namespace observeai::wire
