// Bodies of lane 2: packed as they arrive, and before compression, where the search gets deeper.
#include <cstdlib>
#include <string_view>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"

using namespace observeai::wire;

// What decodes encodes, and decodes to the same; only lines that have nothing in common any more may
// be too large.
static void check(const LogBatch& batch) {
  const auto again = detail::serialize_logs(batch);
  if (!again) {
    if (again.error().code() != observeai::Errc::kLimit) std::abort();
    return;
  }
  const auto twice = detail::parse_logs(again->bytes);
  if (!twice || twice->records != batch.records) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto unpacked = decode_logs(bytes, Codec::kZstd);
  if (unpacked) check(*unpacked);
  const auto batch = detail::parse_logs(bytes);
  if (batch) check(*batch);
  return 0;
}
