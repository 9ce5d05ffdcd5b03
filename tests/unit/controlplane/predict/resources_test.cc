#include "controlplane/predict/resources.h"

#include <doctest/doctest.h>

namespace observeai::predict {

TEST_CASE("every kind has a name and is found by it") {
  for (int number = 1; number <= static_cast<int>(Kind::kErrors); ++number) {
    const auto kind = static_cast<Kind>(number);
    CHECK(!name(kind).empty());
    CHECK(kind_of(name(kind)) == kind);
  }
  CHECK(!kind_of("memory").has_value());
}

}  // namespace observeai::predict
