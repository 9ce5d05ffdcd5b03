// The state of a forecaster as it is stored: what is read is written alike, and goes on the same.
// Half of the inputs get a right checksum, or the search would end there.
#include <bit>
#include <cstdlib>
#include <string>
#include <string_view>

#include "controlplane/predict/exhaustion.h"
#include "controlplane/predict/fields.h"

using observeai::predict::ExhaustionForecaster;

namespace {

constexpr std::size_t kHead = 5;  // Version, checksum

void check(std::string_view bytes) {
  auto forecaster = ExhaustionForecaster::decode(bytes);
  if (!forecaster) return;
  if (forecaster->encode() != bytes) std::abort();
  auto again = ExhaustionForecaster::decode(bytes);
  if (!again) std::abort();
  for (int i = 0; i < 3; ++i) {
    const auto step = forecaster->newest().regime_age + i * 7;
    forecaster->observe(step, 0.1 * i);
    again->observe(step, 0.1 * i);
  }
  forecaster->rescale(0.5);
  again->rescale(0.5);
  if (forecaster->encode() != again->encode()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  if (size < kHead) return 0;
  observeai::predict::FieldWriter head;
  head(data[0]);
  head(observeai::predict::checksum(bytes.substr(kHead)));
  check(std::move(head).take() + std::string(bytes.substr(kHead)));
  return 0;
}
