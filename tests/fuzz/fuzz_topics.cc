// Topics as a broker hands them over: what parses is what build() makes.
#include <cstdlib>
#include <string_view>

#include "protocol/topics/topics.h"

using namespace observeai;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view topic(reinterpret_cast<const char*>(data), size);
  const auto parsed = topics::parse(topic);
  if (parsed && topics::build(parsed->address, parsed->channel) != topic) std::abort();
  return 0;
}
