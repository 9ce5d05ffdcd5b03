#include <algorithm>

#include "observeai/v1/batch.pb.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/executor_report.h"
#include "protocol/wire/detail/shape.h"

// Layout: protocol/proto/observeai/v1/batch.proto.
namespace observeai::wire {
namespace {

using PerLane = std::array<std::uint64_t, kLaneCount>;
using Numbers = google::protobuf::RepeatedField<std::uint64_t>;

Error corrupt(std::string_view what, std::string_view why) {
  return Error(Errc::kCorrupt, std::string(what) + ": " + std::string(why));
}

template <class Message>
Result<Message> parse_message(std::string_view bytes, std::size_t limit, std::string_view what) {
  Message message;
  if (bytes.size() > limit) return corrupt(what, "too long");
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt(what, "not a protobuf message");
  }
  return message;
}

Result<AgentId> read_agent(const std::string& text, std::string_view what) {
  auto agent = AgentId::parse(text);
  if (!agent) return corrupt(what, "bad agent id");
  return agent;
}

std::string sixteen(const std::array<std::uint8_t, 16>& bytes) {
  return std::string(text::as_text(bytes));
}

Result<std::array<std::uint8_t, 16>> read_sixteen(const std::string& bytes, std::string_view what) {
  std::array<std::uint8_t, 16> out{};
  if (bytes.size() != out.size()) return corrupt(what, "epoch or nonce is not 16 bytes");
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Absent is all zeros, and only that: one value has one form.
Result<Nonce16> read_challenge(const std::string& bytes, std::string_view what) {
  if (bytes.empty()) return Nonce16{};
  TRY(const auto challenge, read_sixteen(bytes, what));
  if (challenge == Nonce16{}) return corrupt(what, "a challenge is all zeros");
  return challenge;
}

Result<PerLane> read_lanes(const Numbers& numbers, std::string_view what) {
  PerLane out{};
  if (numbers.size() != static_cast<int>(kLaneCount))
    return corrupt(what, "not one number per lane");
  std::copy(numbers.begin(), numbers.end(), out.begin());
  return out;
}

Result<std::map<std::string, std::int64_t>> read_counters(const v1::Hello& hello) {
  std::map<std::string, std::int64_t> out;
  for (const auto& counter : hello.counters()) {
    if (!out.empty() && counter.name() <= out.rbegin()->first) {
      return corrupt("hello", "counters do not ascend strictly");
    }
    out.emplace_hint(out.end(), counter.name(), counter.value());
  }
  return out;
}

Result<std::optional<BatchOrigin>> read_origin(const v1::BatchHeader& in) {
  constexpr std::string_view kWhat = "batch header";
  if (!in.has_origin()) return std::optional<BatchOrigin>();
  BatchOrigin origin;
  TRY(origin.epoch.bytes, read_sixteen(in.origin().epoch(), kWhat));
  origin.seq = in.origin().seq();
  if (origin.seq == 0) return corrupt(kWhat, "the origin's number is 0");
  if (in.origin().epoch() == in.epoch()) return corrupt(kWhat, "its origin is its own epoch");
  return std::optional<BatchOrigin>(origin);
}

using Eight = std::array<std::uint8_t, 8>;
static_assert(std::is_same_v<Eight, ContentTag> && std::is_same_v<Eight, SessionTag>);

// Absent is all zeros, and only that: one value has one form.
Result<Eight> read_eight(const std::string& bytes, std::string_view what) {
  Eight out{};
  if (bytes.empty()) return out;
  if (bytes.size() != out.size()) return corrupt(what, "a tag is not 8 bytes");
  std::copy(bytes.begin(), bytes.end(), out.begin());
  if (out == Eight{}) return corrupt(what, "a tag is all zeros");
  return out;
}

std::string join_tags(const std::vector<ContentTag>& tags) {
  std::string out;
  out.reserve(tags.size() * sizeof(ContentTag));
  for (const auto& tag : tags) out.append(text::as_text(tag));
  return out;
}

Result<std::vector<ContentTag>> split_tags(std::string_view bytes) {
  if (bytes.size() % sizeof(ContentTag) != 0) return corrupt("hello", "a tag is not 8 bytes");
  std::vector<ContentTag> out(bytes.size() / sizeof(ContentTag));
  if (out.size() > kMaxPendingTags) return corrupt("hello", "too many tags");
  for (auto& tag : out) {
    std::copy_n(bytes.begin(), tag.size(), tag.begin());
    bytes.remove_prefix(tag.size());
  }
  return out;
}

Result<std::array<PendingTags, kLaneCount>> read_pending(const v1::Hello& hello) {
  std::array<PendingTags, kLaneCount> out;
  if (hello.pending().empty()) return out;
  if (hello.pending_size() != static_cast<int>(kLaneCount))
    return corrupt("hello", "not the tags of each lane");
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
    TRY(out[lane].oldest, split_tags(hello.pending(static_cast<int>(lane)).oldest()));
    TRY(out[lane].newest, split_tags(hello.pending(static_cast<int>(lane)).newest()));
    const auto next = hello.next_seq(static_cast<int>(lane));
    const auto oldest = hello.oldest_seq(static_cast<int>(lane));
    const std::uint64_t kept = next > oldest ? next - oldest : 0;
    if (out[lane].oldest.size() + out[lane].newest.size() > kept)
      return corrupt("hello", "more tags than batches");
  }
  return out;
}

// Written as steps, so that order and gaps cannot be stated wrongly.
void put_runs(std::uint64_t contiguous, const std::vector<Run>& runs, v1::Ack::Runs& out) {
  std::uint64_t last = contiguous;
  for (const auto& run : runs) {
    if (out.steps_size() >= static_cast<int>(2 * kMaxAckRuns)) return;
    out.add_steps(run.first - last);
    out.add_steps(run.last - run.first);
    last = run.last;
  }
}

Result<std::vector<Run>> read_runs(std::uint64_t contiguous, const v1::Ack::Runs& in) {
  if (in.steps_size() % 2 != 0 || in.steps_size() > static_cast<int>(2 * kMaxAckRuns))
    return corrupt("ack", "half a run, or too many");
  std::vector<Run> out;
  std::uint64_t last = contiguous;
  for (int i = 0; i < in.steps_size(); i += 2) {
    if (in.steps(i) < 2 || in.steps(i) > UINT64_MAX - last) return corrupt("ack", "runs overlap");
    const std::uint64_t first = last + in.steps(i);
    if (in.steps(i + 1) > UINT64_MAX - first) return corrupt("ack", "a run without end");
    last = first + in.steps(i + 1);
    out.push_back({first, last});
  }
  return out;
}

Result<std::array<std::vector<Run>, kLaneCount>> read_all_runs(const Ack& ack, const v1::Ack& in) {
  std::array<std::vector<Run>, kLaneCount> out;
  if (in.runs().empty()) return out;
  if (in.runs_size() != static_cast<int>(kLaneCount))
    return corrupt("ack", "not the runs of each lane");
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
    TRY(out[lane], read_runs(ack.contiguous[lane], in.runs(static_cast<int>(lane))));
  }
  return out;
}

Result<std::array<CommittedContent, kLaneCount>> read_newest(const v1::Ack& in) {
  std::array<CommittedContent, kLaneCount> out;
  if (in.newest().empty()) return out;
  if (in.newest_size() != static_cast<int>(kLaneCount))
    return corrupt("ack", "not the newest of each lane");
  for (std::size_t lane = 0; lane < kLaneCount; ++lane) {
    const auto& content = in.newest(static_cast<int>(lane));
    out[lane].seq = content.seq();
    TRY(out[lane].tag, read_eight(content.hash(), "ack"));
    if ((out[lane].seq == 0) != (out[lane].tag == ContentTag{}))
      return corrupt("ack", "a number without content, or content without a number");
  }
  return out;
}

}  // namespace

SessionTag session_tag(const Nonce16& nonce) {
  SessionTag tag{};
  std::copy_n(nonce.begin(), tag.size(), tag.begin());
  return tag;
}

ContentTag content_tag(std::string_view body) {
  ContentTag tag{};
  const auto hash = signing::sha256(body);
  std::copy_n(hash.begin(), tag.size(), tag.begin());
  if (tag == ContentTag{}) tag.back() = 1;
  return tag;
}

std::string encode_header(const BatchHeader& header) {
  v1::BatchHeader out;
  out.set_agent_id(header.agent.value());
  out.set_epoch(sixteen(header.epoch.bytes));
  out.set_lane(static_cast<v1::Lane>(header.lane));
  out.set_seq(header.seq);
  out.set_n(header.n);
  out.set_first_ts_ms(header.first_ts_ms);
  out.set_last_ts_ms(header.last_ts_ms);
  out.set_codec(static_cast<v1::Codec>(header.codec));
  if (header.origin) {
    out.mutable_origin()->set_epoch(sixteen(header.origin->epoch.bytes));
    out.mutable_origin()->set_seq(header.origin->seq);
  }
  if (header.session != SessionTag{}) out.set_session(std::string(text::as_text(header.session)));
  return out.SerializeAsString();
}

Result<BatchHeader> decode_header(std::string_view bytes) {
  constexpr std::string_view kWhat = "batch header";
  TRY(const auto in, parse_message<v1::BatchHeader>(bytes, kMaxHeaderBytes, kWhat));
  BatchHeader header;
  TRY(header.agent, read_agent(in.agent_id(), kWhat));
  TRY(header.epoch.bytes, read_sixteen(in.epoch(), kWhat));
  if (in.lane() < 0 || in.lane() >= static_cast<int>(kLaneCount))
    return corrupt(kWhat, "unknown lane");
  if (in.seq() == 0) return corrupt(kWhat, "sequence numbers count from 1");
  if (in.codec() != v1::CODEC_ZSTD && in.codec() != v1::CODEC_LOST)
    return corrupt(kWhat, "unknown codec");
  if (in.codec() == v1::CODEC_LOST && in.n() != 0) return corrupt(kWhat, "a loss with signals");
  header.lane = static_cast<Lane>(in.lane());
  header.seq = in.seq();
  header.n = in.n();
  header.first_ts_ms = in.first_ts_ms();
  header.last_ts_ms = in.last_ts_ms();
  header.codec = static_cast<Codec>(in.codec());
  TRY(header.origin, read_origin(in));
  TRY(header.session, read_eight(in.session(), kWhat));
  return header;
}

std::string encode_hello(const Hello& hello) {
  v1::Hello out;
  out.set_agent_id(hello.agent.value());
  out.set_epoch(sixteen(hello.epoch.bytes));
  out.set_session_nonce(sixteen(hello.session_nonce));
  out.set_protocol_version(hello.protocol_version);
  out.set_agent_version(hello.agent_version);
  out.set_boot_id(hello.boot_id);
  out.set_machine_id_sha256(hello.machine_id_sha256);
  out.set_wall_time_ms(hello.wall_time_ms);
  out.set_series_known(hello.series_known);
  out.set_inventory_digest(hello.inventory_digest);
  for (const auto seq : hello.next_seq) out.add_next_seq(seq);
  for (const auto seq : hello.oldest_seq) out.add_oldest_seq(seq);
  out.set_spool_bytes(hello.spool_bytes);
  for (const auto& [name, value] : hello.counters) {
    auto& counter = *out.add_counters();
    counter.set_name(name);
    counter.set_value(value);
  }
  if (hello.pending != decltype(hello.pending){}) {
    for (const auto& tags : hello.pending) {
      auto& added = *out.add_pending();
      added.set_oldest(join_tags(tags.oldest));
      added.set_newest(join_tags(tags.newest));
    }
  }
  if (hello.challenge != Nonce16{}) out.set_challenge(sixteen(hello.challenge));
  out.set_number(hello.number);
  if (hello.executor) detail::to_proto(*hello.executor, *out.mutable_executor());
  return out.SerializeAsString();
}

Result<Hello> decode_hello(std::string_view bytes) {
  constexpr std::string_view kWhat = "hello";
  if (bytes.size() > kMaxSealedBytes) return corrupt(kWhat, "too long");
  const auto structure = detail::structure_bytes(bytes, detail::kHelloShape, kMaxDecodedBytes);
  if (!structure) return corrupt(kWhat, structure.error().message());
  TRY(const auto in, parse_message<v1::Hello>(bytes, kMaxSealedBytes, kWhat));
  Hello hello;
  TRY(hello.agent, read_agent(in.agent_id(), kWhat));
  TRY(hello.epoch.bytes, read_sixteen(in.epoch(), kWhat));
  TRY(hello.session_nonce, read_sixteen(in.session_nonce(), kWhat));
  hello.protocol_version = in.protocol_version();
  hello.agent_version = in.agent_version();
  hello.boot_id = in.boot_id();
  hello.machine_id_sha256 = in.machine_id_sha256();
  hello.wall_time_ms = in.wall_time_ms();
  hello.series_known = in.series_known();
  hello.inventory_digest = in.inventory_digest();
  TRY(hello.next_seq, read_lanes(in.next_seq(), kWhat));
  TRY(hello.oldest_seq, read_lanes(in.oldest_seq(), kWhat));
  hello.spool_bytes = in.spool_bytes();
  TRY(hello.counters, read_counters(in));
  TRY(hello.pending, read_pending(in));
  TRY(hello.challenge, read_challenge(in.challenge(), kWhat));
  hello.number = in.number();
  if (in.has_executor()) {
    TRY(hello.executor, detail::from_proto(in.executor()));
  }
  return hello;
}

std::string encode_ack(const Ack& ack) {
  v1::Ack out;
  out.set_agent_id(ack.agent.value());
  out.set_epoch(sixteen(ack.epoch.bytes));
  for (const auto seq : ack.contiguous) out.add_contiguous(seq);
  out.set_credit_bytes(ack.credit_bytes);
  out.set_server_time_ms(ack.server_time_ms);
  out.set_session_nonce(sixteen(ack.session_nonce));
  out.set_need_series(ack.need_series);
  out.set_need_inventory(ack.need_inventory);
  if (ack.runs != decltype(ack.runs){}) {
    for (std::size_t lane = 0; lane < kLaneCount; ++lane)
      put_runs(ack.contiguous[lane], ack.runs[lane], *out.add_runs());
  }
  out.set_forked(ack.forked);
  if (ack.newest != decltype(ack.newest){}) {
    for (const auto& content : ack.newest) {
      auto& added = *out.add_newest();
      added.set_seq(content.seq);
      if (content.seq != 0) added.set_hash(std::string(text::as_text(content.tag)));
    }
  }
  if (ack.challenge != Nonce16{}) out.set_challenge(sixteen(ack.challenge));
  return out.SerializeAsString();
}

Result<Ack> decode_ack(std::string_view bytes) {
  constexpr std::string_view kWhat = "ack";
  constexpr std::size_t kMaxAckBytes = 8192;  // 64 runs of 4 lanes, 10 bytes a number, and the rest
  TRY(const auto in, parse_message<v1::Ack>(bytes, kMaxAckBytes, kWhat));
  Ack ack;
  TRY(ack.agent, read_agent(in.agent_id(), kWhat));
  TRY(ack.epoch.bytes, read_sixteen(in.epoch(), kWhat));
  TRY(ack.contiguous, read_lanes(in.contiguous(), kWhat));
  ack.credit_bytes = in.credit_bytes();
  ack.server_time_ms = in.server_time_ms();
  TRY(ack.session_nonce, read_sixteen(in.session_nonce(), kWhat));
  ack.need_series = in.need_series();
  ack.need_inventory = in.need_inventory();
  TRY(ack.runs, read_all_runs(ack, in));
  ack.forked = in.forked();
  TRY(ack.newest, read_newest(in));
  TRY(ack.challenge, read_challenge(in.challenge(), kWhat));
  return ack;
}

}  // namespace observeai::wire
