// Bodies of lane 1: packed as they arrive, and before compression, where the search gets deeper.
#include <cstdlib>
#include <string_view>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"

using namespace observeai::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto unpacked = decode_samples(bytes, Codec::kZstd);
  if (unpacked && !encode_samples(*unpacked)) std::abort();

  const auto batch = detail::parse_samples(bytes);
  if (!batch) return 0;
  // What decodes encodes, and from there on the bytes stay the same.
  const auto again = detail::serialize_samples(*batch);
  if (!again) std::abort();
  const auto twice = detail::parse_samples(*again);
  if (!twice || detail::serialize_samples(*twice).value() != *again) std::abort();
  return 0;
}
