// Lines of logs from a seed: like real ones, and hostile ones.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/protocol/wire/generate.h"

namespace observeai::test {

// Something that a line may be made of; many of them are at the edge of what a value is.
inline std::string piece(Generator& random) {
  static const std::vector<std::string> edges = {"",
                                                 " ",
                                                 "0",
                                                 "00",
                                                 "007",
                                                 "-1",
                                                 "+0",
                                                 "1.50",
                                                 "v1",
                                                 "x86_64",
                                                 "5a",
                                                 "ab12",
                                                 "AB12",
                                                 "12ab34cd",
                                                 "abcdef",
                                                 "deadbe",
                                                 "0x1F",
                                                 "1e9",
                                                 "999999999999999999",
                                                 "1000000000000000000",
                                                 "18446744073709551615",
                                                 "18446744073709551616",
                                                 "000000000000000000",
                                                 "0000000000000000000",
                                                 "7777777",
                                                 "77777777",
                                                 "777777777",
                                                 std::string(1, '\0'),
                                                 "\xFF\xFE",
                                                 "\xC3\xA9",
                                                 "1\xC3\xA9",
                                                 "\n",
                                                 "\t2",
                                                 "a1b2c3d4e5f6a7b8",
                                                 "0123456789abcdef01",
                                                 "g123456789012345678901",
                                                 "12345678901234567890123456789012345678901"};
  switch (random.below(8)) {
    case 0:
      return std::to_string(random.bits() >> random.below(64));
    case 1:
      return edges[random.below(edges.size())];
    case 2:
      return random.bytes(12);
    case 3: {
      std::string hex(1 + random.below(20), '0');
      for (auto& c : hex) c = "0123456789abcdef"[random.below(16)];
      return hex;
    }
    case 4:
      return std::string(random.below(4), '0') + std::to_string(random.below(1000));
    default:
      return random.coin() ? " " : "word";
  }
}

// A few sentences, each with places that are filled anew for each line.
class Sentences {
 public:
  explicit Sentences(std::uint64_t seed) : random_(seed) {
    sentences_.resize(1 + random_.below(6));
    for (auto& sentence : sentences_) {
      for (auto n = random_.below(12); n > 0; --n) sentence.push_back(piece(random_));
    }
  }
  std::string line() {
    if (random_.below(10) == 0) return piece(random_) + piece(random_);
    std::string out;
    for (const auto& part : sentences_[random_.below(sentences_.size())]) {
      out += random_.below(4) == 0 ? piece(random_) : part;
      if (random_.coin()) out += ' ';
    }
    return out;
  }

 private:
  Generator random_;
  std::vector<std::vector<std::string>> sentences_;
};

}  // namespace observeai::test
