#include "protocol/wire/batch_codec.h"

#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/zstd.h"

namespace observeai::wire {
namespace {

Result<std::string> pack(Result<std::string> body) {
  if (!body) return body;
  return detail::compress(*body);
}

Result<std::string> unpack(std::string_view body, Codec codec) {
  if (codec != Codec::kZstd) {
    return Error(Errc::kCorrupt, "unknown codec " + std::to_string(static_cast<int>(codec)));
  }
  return detail::decompress(body);
}

}  // namespace

Result<std::string> encode_control(const ControlBatch& batch) {
  return pack(detail::serialize_control(batch));
}
Result<std::string> encode_samples(const SampleBatch& batch) {
  return pack(detail::serialize_samples(batch));
}
Result<std::string> encode_logs(const LogBatch& batch) {
  TRY(const auto body, detail::serialize_logs(batch));
  return detail::compress(body.bytes, detail::Effort::kFast, body.ends);
}

Result<ControlBatch> decode_control(std::string_view body, Codec codec) {
  TRY(const auto bytes, unpack(body, codec));
  return detail::parse_control(bytes);
}
Result<SampleBatch> decode_samples(std::string_view body, Codec codec) {
  TRY(const auto bytes, unpack(body, codec));
  return detail::parse_samples(bytes);
}
Result<LogBatch> decode_logs(std::string_view body, Codec codec) {
  TRY(const auto bytes, unpack(body, codec));
  return detail::parse_logs(bytes);
}

}  // namespace observeai::wire
