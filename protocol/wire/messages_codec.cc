#include <algorithm>

#include "observeai/v1/batch.pb.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch_codec.h"
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

}  // namespace

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
  if (in.codec() != v1::CODEC_ZSTD) return corrupt(kWhat, "unknown codec");
  header.lane = static_cast<Lane>(in.lane());
  header.seq = in.seq();
  header.n = in.n();
  header.first_ts_ms = in.first_ts_ms();
  header.last_ts_ms = in.last_ts_ms();
  header.codec = Codec::kZstd;
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
  out.set_command_seq(hello.command_seq);
  out.set_root_version(hello.root_version);
  out.set_policy_hash(hello.policy_hash);
  for (const auto& [name, value] : hello.counters) {
    auto& counter = *out.add_counters();
    counter.set_name(name);
    counter.set_value(value);
  }
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
  hello.command_seq = in.command_seq();
  hello.root_version = in.root_version();
  hello.policy_hash = in.policy_hash();
  TRY(hello.counters, read_counters(in));
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
  return out.SerializeAsString();
}

Result<Ack> decode_ack(std::string_view bytes) {
  constexpr std::string_view kWhat = "ack";
  constexpr std::size_t kMaxAckBytes = 4096;  // At most about 200 today
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
  return ack;
}

}  // namespace observeai::wire
