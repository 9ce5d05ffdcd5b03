// Stored state of detectors and change points. What decodes encodes to the same bytes, takes any values, and
// never says anything that is not a number.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controlplane/series/change_points.h"
#include "controlplane/series/detector.h"

using namespace observeai;

namespace {

constexpr double kValues[] = {0, 1, -1, 1e9, -1.7e308, 1e-300, NAN, INFINITY, 3, 3};

void check_detector(std::string_view bytes) {
  auto detector = series::Detector::decode(bytes);
  if (!detector) return;
  if (detector->encode() != bytes) std::abort();
  std::int64_t now = 0;
  for (const double value : kValues) {
    const auto verdict = detector->observe(now += 60'000, value);
    if (!(verdict.score >= 0 && verdict.score <= 1 && verdict.p >= 0 && verdict.p <= 1))
      std::abort();
  }
  if (detector->encode().size() > series::Detector::kMaxStateBytes) std::abort();
}

void check_points(std::string_view bytes) {
  auto points = series::ChangePoints::decode(bytes);
  if (!points) return;
  if (points->encode() != bytes) std::abort();
  std::int64_t step = 0;
  for (const double value : kValues) points->observe(++step, value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_detector(bytes);
  check_points(bytes);
  return 0;
}
