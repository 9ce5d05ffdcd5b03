#include "protocol/pki/enrollment_token.h"

#include <doctest/doctest.h>

#include <set>

using namespace observeai;
using namespace observeai::pki;

namespace {
EnrollmentToken sample() {
  auto token = generate_token();
  token.server_spki_sha256 = std::string(64, 'a');
  token.root_metadata_sha256 = std::string(64, 'b');
  return token;
}
std::string why(const std::string& text) {
  const auto parsed = parse_token(text);
  return parsed ? "" : parsed.error().message();
}
bool says(const std::string& text, const char* part) {
  return why(text).find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("a token comes back as it was written and is one shell-safe word") {
  const auto token = sample();
  const auto text = format_token(token);
  CHECK(text.size() == 4 + 10 + 3 * 43 + 4);
  CHECK(
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
      std::string::npos);
  const auto parsed = parse_token(" " + text + "\n").value();
  CHECK(parsed.id == token.id);
  CHECK(parsed.secret == token.secret);
  CHECK(parsed.server_spki_sha256 == token.server_spki_sha256);
  CHECK(parsed.root_metadata_sha256 == token.root_metadata_sha256);
}

TEST_CASE("ids and secrets are new each time") {
  std::set<std::string> ids;
  for (int i = 0; i < 200; ++i) {
    const auto token = generate_token();
    CHECK(is_token_id(token.id));
    ids.insert(token.id);
  }
  CHECK(ids.size() == 200);
  CHECK(generate_token().secret != generate_token().secret);
}

TEST_CASE("the error names the part that is wrong") {
  const auto text = format_token(sample());
  CHECK(says("", "empty"));
  CHECK(says("   ", "empty"));
  CHECK(says("oai2" + text.substr(4), "start with \"oai1.\""));
  CHECK(says("hello", "start with \"oai1.\""));
  CHECK(says(text.substr(0, text.rfind('.')), "this one has 4"));
  CHECK(says(text + ".x", "this one has 6"));
  CHECK(says("oai1.ABCDEFGHIJ" + text.substr(15), "id in the token"));
  CHECK(says("oai1.abc" + text.substr(15), "id in the token"));
  CHECK(says(text.substr(0, 15) + "." + text.substr(17), "secret in the token"));
  CHECK(says(text.substr(0, text.size() - 1), "root metadata hash"));
  CHECK(says(std::string(300, 'a'), "too long"));
  auto parts = text;
  parts[15 + 44 + 5] = '+';
  CHECK(says(parts, "server key hash"));
}

TEST_CASE("an encoding that means the same bytes but is not ours is refused") {
  auto text = format_token(sample());
  // The last character of 43 carries four bits only: "...E" and "...F" would decode alike.
  const auto end = text.size() - 1;
  text[end] = text[end] == 'E' ? 'F' : static_cast<char>(text[end] + 1);
  CHECK(says(text, "root metadata hash"));
}

TEST_CASE("no error repeats the secret") {
  const auto text = format_token(sample());
  const auto secret = text.substr(16, 43);
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    CHECK(why(text.substr(0, cut)).find(secret.substr(0, 12)) == std::string::npos);
    auto damaged = text;
    damaged[cut] = '!';
    CHECK(why(damaged).find(secret.substr(20, 12)) == std::string::npos);
  }
}
