#include "protocol/wire/sealed.h"

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/framing.h"
#include "protocol/wire/detail/varint.h"

namespace observeai::wire {
namespace detail {
namespace {

constexpr char kHeaderTag = 1 << 3 | 2;  // Field 1, length-delimited
constexpr char kBodyTag = 2 << 3 | 2;    // Field 2, length-delimited
constexpr std::size_t kMaxFramingBytes = 12;
static_assert(kMaxPackedBytes + kMaxHeaderBytes + signing::kSealOverheadBytes + kMaxFramingBytes <=
              kMaxSealedBytes);

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "sealed batch: " + std::string(why));
}

std::optional<std::string_view> field(ColumnReader& reader, char tag) {
  const auto found = reader.byte();
  if (!found || *found != static_cast<std::uint8_t>(tag)) return std::nullopt;
  const auto length = reader.varint();
  return length ? reader.bytes(*length) : std::nullopt;
}

}  // namespace

std::string associated_data(std::string_view domain, std::string_view context) {
  std::string out(domain);
  out.push_back('\0');
  return out.append(context);
}

std::string join(const SealedParts& parts) {
  std::string out;
  out.reserve(parts.header.size() + parts.sealed_body.size() + kMaxFramingBytes);
  out.push_back(kHeaderTag);
  put_varint(out, parts.header.size());
  out.append(parts.header);
  out.push_back(kBodyTag);
  put_varint(out, parts.sealed_body.size());
  return out.append(parts.sealed_body);
}

// By hand and strict where protobuf is lenient: one value has one form, and nothing is copied.
Result<SealedParts> split(std::string_view bytes) {
  if (bytes.size() > kMaxSealedBytes) {
    return Error(Errc::kLimit, "sealed message of " + std::to_string(bytes.size()) +
                                   " bytes is above " + std::to_string(kMaxSealedBytes));
  }
  ColumnReader reader(bytes);
  const auto header = field(reader, kHeaderTag);
  if (!header || header->size() > kMaxHeaderBytes) return corrupt("bad header field");
  const auto body = field(reader, kBodyTag);
  if (!body || !reader.at_end()) return corrupt("bad body field");
  return SealedParts{*header, *body};
}

}  // namespace detail

namespace {

Result<std::string> open_bounded(std::string_view sealed, std::string_view domain,
                                 std::string_view context, const signing::SealingKey& key) {
  if (sealed.size() > kMaxSealedBytes) {
    return Error(Errc::kLimit, "sealed message of " + std::to_string(sealed.size()) +
                                   " bytes is above " + std::to_string(kMaxSealedBytes));
  }
  return signing::open(sealed, detail::associated_data(domain, context), key);
}

// The seal says who may have written it; the content must name the same agent.
template <class Message>
Result<Message> require_agent(Result<Message> message, const AgentId& agent) {
  if (message && message->agent != agent) {
    return Error(Errc::kDenied,
                 "sealed for " + agent.value() + " but names " + message->agent.value());
  }
  return message;
}

}  // namespace

std::string seal_batch(const Batch& batch, const signing::SealingKey& key) {
  const auto header = encode_header(batch.header);
  const auto body =
      signing::seal(batch.body, detail::associated_data(detail::kBatchDomain, header), key);
  return detail::join({header, body});
}

Result<BatchHeader> peek_batch_header(std::string_view sealed) {
  TRY(const auto parts, detail::split(sealed));
  return decode_header(parts.header);
}

Result<Batch> open_batch(std::string_view sealed, const signing::SealingKey& key) {
  TRY(const auto parts, detail::split(sealed));
  TRY(auto body, open_bounded(parts.sealed_body, detail::kBatchDomain, parts.header, key));
  TRY(auto header, decode_header(parts.header));
  return Batch{std::move(header), std::move(body)};
}

std::string seal_hello(const Hello& hello, const signing::SealingKey& key) {
  const auto context = detail::associated_data(detail::kHelloDomain, hello.agent.value());
  return signing::seal(encode_hello(hello), context, key);
}

Result<Hello> open_hello(std::string_view sealed, const AgentId& agent,
                         const signing::SealingKey& key) {
  TRY(const auto bytes, open_bounded(sealed, detail::kHelloDomain, agent.value(), key));
  return require_agent(decode_hello(bytes), agent);
}

std::string seal_ack(const Ack& ack, const signing::SealingKey& key) {
  const auto context = detail::associated_data(detail::kAckDomain, ack.agent.value());
  return signing::seal(encode_ack(ack), context, key);
}

Result<Ack> open_ack(std::string_view sealed, const AgentId& agent,
                     const signing::SealingKey& key) {
  TRY(const auto bytes, open_bounded(sealed, detail::kAckDomain, agent.value(), key));
  return require_agent(decode_ack(bytes), agent);
}

}  // namespace observeai::wire
