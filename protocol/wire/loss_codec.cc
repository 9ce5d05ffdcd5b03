#include <algorithm>

#include "observeai/v1/batch.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/shape.h"

// Layout: LossNotice in protocol/proto/observeai/v1/batch.proto. Not packed: a notice is small.
namespace observeai::wire {
namespace {

constexpr std::size_t kMaxReasonBytes = 32;

bool is_reason(std::string_view reason) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  };
  return !reason.empty() && reason.size() <= kMaxReasonBytes &&
         std::all_of(reason.begin(), reason.end(), allowed);
}

// Both directions apply it; they differ in whose mistake it is.
Result<void> check(const LossNotice& notice, Errc broken_rule, Errc above_limit) {
  if (!is_reason(notice.reason)) return Error(broken_rule, "loss notice: bad reason");
  if (notice.sources.size() > kMaxLossSources)
    return Error(above_limit, "loss notice: too many sources");
  const std::string* before = nullptr;
  for (const auto& source : notice.sources) {
    if (source.name.size() > kMaxLossSourceBytes)
      return Error(above_limit, "loss notice: the name of a source is too long");
    if (source.name.empty() || (before != nullptr && source.name <= *before))
      return Error(broken_rule, "loss notice: names of sources do not ascend strictly");
    before = &source.name;
  }
  return {};
}

}  // namespace

Result<std::string> encode_loss(const LossNotice& notice) {
  TRY_VOID(check(notice, Errc::kInvalid, Errc::kLimit));
  v1::LossNotice out;
  out.set_reason(notice.reason);
  for (const auto& source : notice.sources) {
    auto& added = *out.add_sources();
    added.set_name(source.name);
    added.set_records(source.records);
    added.set_bytes(source.bytes);
  }
  return out.SerializeAsString();
}

Result<LossNotice> decode_loss(std::string_view body) {
  const auto corrupt = [](std::string_view why) {
    return Error(Errc::kCorrupt, "loss notice: " + std::string(why));
  };
  if (body.size() > kMaxPackedBytes) return corrupt("too long");
  const auto structure = detail::structure_bytes(body, detail::kLossShape, kMaxDecodedBytes);
  if (!structure) return corrupt(structure.error().message());
  v1::LossNotice in;
  if (!in.ParseFromArray(body.data(), static_cast<int>(body.size())))
    return corrupt("not a protobuf message");
  LossNotice notice;
  notice.reason = in.reason();
  notice.sources.reserve(static_cast<std::size_t>(in.sources_size()));
  for (const auto& source : in.sources())
    notice.sources.push_back({source.name(), source.records(), source.bytes()});
  TRY_VOID(check(notice, Errc::kCorrupt, Errc::kCorrupt));
  return notice;
}

}  // namespace observeai::wire
