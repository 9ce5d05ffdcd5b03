#include "agent/logs/secret_hints.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_entropy.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kBlocks = 200;  // Bytes: three blocks and a rest

// The longest run of bytes that `of(text, i)` holds for.
template <class F>
std::size_t longest(std::string_view text, const F& of) {
  std::size_t best = 0;
  std::size_t now = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    now = of(text, i) ? now + 1 : 0;
    best = std::max(best, now);
  }
  return best;
}

bool in_card(std::string_view text, std::size_t i) {
  const auto digit = [&](std::size_t at) {
    return at < text.size() && chars::is(text[at], chars::kDigit);
  };
  return digit(i) || (is_card_joint(text[i]) && i > 0 && digit(i - 1) && digit(i + 1));
}

bool in_run(std::string_view text, std::size_t i) {
  return chars::is(text[i], kRunClass);
}

void check(const std::string& text) {
  CAPTURE(text);
  const auto hints = secret_hints(text);
  CHECK(hints.escape == (text.find('\x1b') != std::string::npos));
  CHECK(hints.run == (longest(text, in_run) >= kMinRun));
  CHECK((!next_card_number(text, 0) || hints.card_number));
  CHECK((!next_random_run(text, 0) || hints.run));
  // A joint at the end of a block may count although no digit follows it.
  if (longest(text, in_card) >= kMinCardDigits) CHECK(hints.card_number);
  if (longest(text, in_card) + 1 < kMinCardDigits) CHECK_FALSE(hints.card_number);
}

}  // namespace

TEST_CASE("hints: a card number and a run are seen wherever they stand") {
  for (std::size_t length = 0; length < kBlocks; ++length) {
    const std::string filler(length, ':');
    for (const std::string find :
         {"4111 1111 1111 1111", "4222222222222", "3782-822463-10005", "\x1b[1m"}) {
      check(filler + find);
      check(filler + find + filler);
      check(find + filler);
    }
    for (const auto run : {kMinRun - 1, kMinRun, kMinRun + 64, 3 * kMinRun}) {
      check(filler + std::string(run, 'x'));
      check(filler + std::string(run, '=') + ':' + filler);
    }
    for (std::size_t digits = kMinCardDigits - 2; digits < kMinCardDigits + 3; ++digits)
      check(filler + std::string(digits, '7') + " " + filler);
  }
}

TEST_CASE("hints: each byte is of the classes that the passes have") {
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    check(std::string(kMinRun, c));
    check(std::string(kMinCardDigits, c));
    check(std::string(kBlocks, c));
    std::string card = "4111?1111?1111?1111";
    std::replace(card.begin(), card.end(), '?', c);
    check(card);
  }
}

TEST_CASE("hints: what the passes find they were sent to") {
  std::mt19937_64 random(7);
  const std::string bytes = "0123456789  --aZ_./+=:\x1b\xff";
  std::size_t cards = 0;
  std::size_t runs = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % kBlocks, ' ');
    for (char& c : text) c = bytes[random() % bytes.size()];
    const auto plant = [&](std::string_view what) {
      text.insert(random() % (text.size() + 1), what);
    };
    if (round % 2 == 0) plant(" 4111-1111 1111 1111 ");
    if (round % 4 < 2) plant(" q7Xb2LmZ9kRt4WvY8nPc3HsD6fGj5AeUiTz1QoKx ");
    check(text);
    cards += next_card_number(text, 0) ? 1 : 0;
    runs += next_random_run(text, 0) ? 1 : 0;
  }
  CHECK(cards > 1'000);
  CHECK(runs > 1'000);
}

}  // namespace observeai::agent
