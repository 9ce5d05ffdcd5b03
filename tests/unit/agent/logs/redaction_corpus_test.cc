// What the redactor finds of the labelled corpus in tests/data/redaction, and what it takes for a secret
// that is none. Detectors are made while looking at the half "develop" only; "heldout" has other
// contexts, names and URL forms. The bounds hold for each half and for each kind.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "agent/logs/redactor.h"
#include "protocol/base/text.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

constexpr double kMinRecall = 0.99;
constexpr double kMinRecallOfKind = 0.92;  // A kind has 13 lines in each half: one may be missed
constexpr double kMaxFalsePositives = 0.001;
// A piece of a secret this long that is left counts as the secret.
constexpr std::size_t kPiece = 12;

// Set to see what is missed or taken wrongly in the half for development.
bool shows_lines(const std::string& half) {
  return half == "develop" && std::getenv("OBSERVEAI_SHOW_REDACTION") != nullptr;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    for (auto joint = line.find("^^"); joint != std::string::npos; joint = line.find("^^"))
      line.erase(joint, 2);
    lines.push_back(line);
  }
  return lines;
}

std::filesystem::path data(const std::string& name) {
  return std::filesystem::path(OBSERVEAI_TEST_DATA "/redaction") / name;
}

bool is_left(std::string_view secret, std::string_view out) {
  if (secret.size() <= kPiece) return out.find(secret) != std::string_view::npos;
  for (std::size_t at = 0; at + kPiece <= secret.size(); at += kPiece / 2) {
    if (out.find(secret.substr(at, kPiece)) != std::string_view::npos) return true;
  }
  return out.find(secret.substr(secret.size() - kPiece)) != std::string_view::npos;
}

struct Score {
  std::size_t lines = 0;
  std::size_t hidden = 0;
  double recall() const { return static_cast<double>(hidden) / static_cast<double>(lines); }
};

void check_secrets(const std::string& half) {
  std::map<std::string, Score> kinds;
  Score all;
  for (const auto& line : lines_of(data(half + "_secrets.tsv"))) {
    const auto fields = text::split(line, '\t');
    REQUIRE(fields.size() == 3);
    const std::string_view row = fields[2];
    const auto out = redact(row);
    bool hidden = out.find("[REDACTED:") != std::string::npos;
    std::string_view rest = fields[1];
    constexpr std::string_view kBetween = " \xC2\xA6 ";
    while (!rest.empty()) {
      const auto secret = rest.substr(0, rest.find(kBetween));
      REQUIRE(row.find(secret) != std::string_view::npos);
      hidden = hidden && !is_left(secret, out);
      rest.remove_prefix(std::min(rest.size(), secret.size() + kBetween.size()));
    }
    for (auto* score : {&kinds[std::string(fields[0])], &all}) {
      ++score->lines;
      score->hidden += hidden ? 1 : 0;
    }
    if (!hidden && shows_lines(half)) std::cout << "missed " << fields[0] << ": " << out << "\n";
  }
  MESSAGE(half << ": " << all.hidden << " of " << all.lines << " secrets hidden, " << kinds.size()
               << " kinds");
  CHECK(all.lines >= 1500);
  CHECK(kinds.size() >= 80);
  CHECK(all.recall() >= kMinRecall);
  for (const auto& entry : kinds) {
    const auto& kind = entry.first;
    const auto& score = entry.second;
    CAPTURE(kind);
    CHECK(score.lines >= 10);
    CHECK(score.recall() >= kMinRecallOfKind);
    if (score.hidden < score.lines) {
      MESSAGE(half << ": " << kind << ": " << score.hidden << " of " << score.lines);
    }
  }
}

void check_clean(const std::string& half, const std::vector<std::string>& lines) {
  std::size_t changed = 0;
  std::map<std::string, std::size_t> kinds;
  for (const auto& line : lines) {
    const auto out = redact(line);
    if (out == line) continue;
    ++changed;
    const auto begin = out.find("[REDACTED:") + 10;
    ++kinds[out.substr(begin, out.find(']', begin) - begin)];
    if (shows_lines(half)) std::cout << "taken: " << out << "\n";
  }
  MESSAGE(half << ": " << changed << " of " << lines.size() << " clean lines changed");
  for (const auto& entry : kinds) {
    MESSAGE(half << ": " << entry.second << " taken for " << entry.first);
  }
  CHECK(static_cast<double>(changed) <= kMaxFalsePositives * static_cast<double>(lines.size()));
}

}  // namespace

TEST_CASE("labelled corpus: secrets are hidden") {
  check_secrets("develop");
  check_secrets("heldout");
}

TEST_CASE("labelled corpus: clean lines stay") {
  for (const std::string half : {"develop", "heldout"}) {
    const auto lines = lines_of(data(half + "_clean.txt"));
    CHECK(lines.size() >= 10'000);
    check_clean(half, lines);
  }
}

// Logs of real systems, where the benchmark data lies beside the tree; they are not part of it.
TEST_CASE("public log samples stay") {
  const char* given = std::getenv("OBSERVEAI_BENCH_DATA");
  const std::filesystem::path all =
      given != nullptr ? given : OBSERVEAI_TEST_DATA "/../../../shared/bench-data";
  const auto folder = all / "logs/loghub-2k/input";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("no public log samples beside the tree");
    return;
  }
  std::vector<std::string> lines;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    for (auto& line : lines_of(file.path())) lines.push_back(std::move(line));
  }
  check_clean("loghub", lines);
}
