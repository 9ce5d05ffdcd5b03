#include "agent/logs/redactor.h"

#include <doctest/doctest.h>
#include <time.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "agent/logs/secret_detectors.h"
#include "protocol/base/text.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

std::vector<std::string> corpus(const std::string& name) {
  std::ifstream file(std::string(OBSERVEAI_TEST_DATA "/redaction/") + name, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    for (auto joint = line.find("^^"); joint != std::string::npos; joint = line.find("^^"))
      line.erase(joint, 2);
    lines.push_back(line);
  }
  return lines;
}

// CPU time of this thread: other programs on the machine do not count.
double own_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Secret {
  std::string kind;
  std::string secret;
  std::string text;
};

std::vector<Secret> secrets() {
  std::vector<Secret> out;
  for (const auto& line : corpus("secrets.txt")) {
    const auto fields = text::split(line, '\t');
    REQUIRE(fields.size() == 3);
    out.push_back({std::string(fields[0]), std::string(fields[1]), std::string(fields[2])});
  }
  return out;
}

bool hides(const Secret& row, const std::string& out) {
  return out.find("[REDACTED:" + row.kind + "]") != std::string::npos &&
         out.find(row.secret) == std::string::npos;
}

}  // namespace

TEST_CASE("every secret of the corpus is replaced, and named") {
  const auto rows = secrets();
  CHECK(rows.size() >= 60);
  std::map<std::string, int> kinds;
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto out = redact(row.text);
    CAPTURE(out);
    REQUIRE(row.text.find(row.secret) != std::string::npos);
    CHECK(hides(row, out));
    ++kinds[row.kind];
  }
  CHECK(kinds.size() >= 40);
}

TEST_CASE("a secret is found wherever it stands in the line") {
  const std::string filler = "level=info ts=2026-11-21T07:45:00Z msg=\"upstream said\" detail: ";
  for (const auto& row : secrets()) {
    for (const std::string& before : {std::string(" "), filler, filler + filler + "x "}) {
      CAPTURE(row.text);
      const auto text = before + row.text;
      const auto out = redact(text + " and so on, status=200");
      CAPTURE(out);
      CHECK(hides(row, out));
      CHECK(out.starts_with(before));
    }
  }
}

TEST_CASE("clean lines stay as they are") {
  const auto lines = corpus("clean.txt");
  CHECK(lines.size() >= 100);
  for (const auto& line : lines) CHECK(redact(line) == line);
}

TEST_CASE("what stands around a secret stays") {
  CHECK(redact("user=bob password=x1y2z3 host=db") ==
        "user=bob password=[REDACTED:password] host=db");
  CHECK(redact(R"({"password":"a\"b","user":"bob"})") ==
        R"({"password":"[REDACTED:password]","user":"bob"})");
  CHECK(redact("a=1&password=p&b=2") == "a=1&password=[REDACTED:password]&b=2");
  CHECK(redact("postgres://app:pw@db/x") == "postgres://app:[REDACTED:url_password]@db/x");
  CHECK(redact("Authorization: Bearer abcdef123456 next") ==
        "Authorization: Bearer [REDACTED:authorization] next");
  CHECK(redact("card 4111 1111 1111 1111.") == "card [REDACTED:credit_card].");
  CHECK(redact("password=a1b2 token=c3d4e5f6 password=a1b2") ==
        "password=[REDACTED:password] token=[REDACTED:token] password=[REDACTED:password]");
}

TEST_CASE("of a statement, a command and a dump only the value goes") {
  const std::map<std::string, std::string> rows = {
      {"ALTER ROLE app WITH LOGIN PASSWORD 'letmein' VALID UNTIL 'infinity'",
       "ALTER ROLE app WITH LOGIN PASSWORD '[REDACTED:password]' VALID UNTIL 'infinity'"},
      {"CREATE USER 'b'@'%' IDENTIFIED WITH sha256_password BY 'letmein';",
       "CREATE USER 'b'@'%' IDENTIFIED WITH sha256_password BY '[REDACTED:password]';"},
      {"INSERT INTO u (name, `password`, age) VALUES ('o\\'b, x', 'letmein', 7)",
       "INSERT INTO u (name, `password`, age) VALUES ('o\\'b, x', '[REDACTED:password]', 7)"},
      {"mysql -uroot -pletmein shop", "mysql -uroot -p[REDACTED:password] shop"},
      {"ssh -p 2222 host && redis-cli -a letmein ping",
       "ssh -p 2222 host && redis-cli -a [REDACTED:password] ping"},
      {"[user] => bob [password] => letmein )",
       "[user] => bob [password] => [REDACTED:password] )"},
      {"x=%22password%22%3A%22let%2526me%22%2C%22a%22%3A1",
       "x=%22password%22%3A%22[REDACTED:password]%22%2C%22a%22%3A1"},
      {"{&quot;password&quot;:&quot;letmein&quot;,1}",
       "{&quot;password&quot;:&quot;[REDACTED:password]&quot;,1}"},
      {"EAN 4006381330060", "EAN 4006381330060"},  // Also in Visa's range, and right by Luhn
      {"Cookie: lang=en; theme=dark", "Cookie: lang=en; theme=dark"},
      {"key ends with -----BEGIN", "key ends with -----BEGIN"},
  };
  for (const auto& [text, expected] : rows) CHECK(redact(text) == expected);
}

TEST_CASE("redacting twice changes nothing more") {
  for (const auto& row : secrets()) {
    const auto once = redact(row.text);
    CHECK(redact(once) == once);
  }
}

TEST_CASE("a private key over many lines is hidden to its END, also after a restart") {
  const Redactor redactor;
  std::uint32_t left = 0;
  std::string out;
  CHECK(redactor.redact_line("loading -----BEGIN RSA PRIVATE KEY-----", left, out));
  CHECK(out == "loading [REDACTED:private_key]");
  CHECK(left == kMaxKeyBlockLines);
  const std::string body = "MIIEpAIBAAKCAQEAx7Yk2mZsQ0r1t9v8b6n5m4k3j2h1g0f9d8s7a6p5o4i3u2";
  CHECK(redactor.redact_line(body, left, out));
  CHECK(out == "[REDACTED:private_key]");
  CHECK(redactor.redact_line("2026-11-21 INFO " + body, left, out));
  CHECK(out == "2026-11-21 INFO [REDACTED:private_key]");
  CHECK(redactor.redact_line("Qw==", left, out));
  CHECK(redactor.redact_line("2026-11-21 INFO YWJjZA==", left, out));
  CHECK(out == "2026-11-21 INFO [REDACTED:private_key]");
  CHECK_FALSE(redactor.redact_line("another thread says hello", left, out));
  CHECK_FALSE(redactor.redact_line("-----END RSA PRIVATE KEY-----", left, out));
  CHECK(left == 0);
  CHECK_FALSE(redactor.redact_line(body, left, out));
  // A block that never ends does not hide the log for ever.
  CHECK(redactor.redact_line("-----BEGIN EC PRIVATE KEY-----", left, out));
  for (std::uint32_t i = 0; i < kMaxKeyBlockLines; ++i)
    CHECK(redactor.redact_line(body, left, out));
  CHECK_FALSE(redactor.redact_line(body, left, out));
}

TEST_CASE("colour codes are no obstacle, and stay") {
  CHECK(redact("\x1b[36mpassword=\x1b[0mhunter2 ok") ==
        "\x1b[36mpassword=\x1b[0m[REDACTED:password] ok");
  CHECK(redact("\x1b[1;32mINFO\x1b[0m db_pass\x1b[2m: \x1b[0mhunter2\x1b[0m") ==
        "\x1b[1;32mINFO\x1b[0m db_pass\x1b[2m: \x1b[0m[REDACTED:password]\x1b[0m");
  CHECK(redact("to\x1b[4mken=abc\x1b[0mdef123 x") == "to\x1b[4mken=[REDACTED:token] x");
  CHECK(redact("4111\x1b[1m1111\x1b[0m11111111\x1b[0m") == "[REDACTED:credit_card]\x1b[0m");
  for (const std::string_view clean : {"\x1b[31mall is well\x1b[0m", "\x1b", "\x1b[", "\x1b[31",
                                       "\x1b[31mpassword\x1b[0m: \x1b[1mrequired\x1b[0m"}) {
    CHECK(redact(clean) == clean);
  }
}

TEST_CASE("a value is taken to its end") {
  CHECK(redact("passphrase=correct horse battery staple user=bob") ==
        "passphrase=[REDACTED:password] user=bob");
  CHECK(redact("password=${X}real next") == "password=[REDACTED:password] next");
  CHECK(redact("postgres://user:p@ss/w0rd@host/db") ==
        "postgres://user:[REDACTED:url_password]@host/db");
  CHECK(redact("redis://default:abc,def@h:6379") ==
        "redis://default:[REDACTED:url_password]@h:6379");
  CHECK(redact("login=a&password%3Dx1%26remember%3D1") ==
        "login=a&password%3D[REDACTED:password]%26remember%3D1");
  CHECK(redact(R"({"password":{"value":"x1","origin":"env"}})") ==
        R"({"password":{"value":"[REDACTED:password]","origin":"env"}})");
  CHECK(redact("http://a:1,http://u:pw@h/x") == "http://a:1,http://u:[REDACTED:url_password]@h/x");
}

TEST_CASE("bounds: the whole line goes, with its length") {
  const std::string one = "password=a1b2c3 ";
  std::string many;
  for (std::size_t i = 0; i < kMaxSecretsPerLine; ++i) many += one;
  CHECK(redact(many).starts_with("password=[REDACTED:password] "));
  many += one;
  CHECK(redact(many) == "[REDACTED:line of " + std::to_string(many.size()) + " bytes]");

  const std::string longest(kMaxRedactBytes, 'x');
  CHECK(redact(longest) == longest);
  CHECK(redact(longest + "x") ==
        "[REDACTED:line of " + std::to_string(kMaxRedactBytes + 1) + " bytes]");

  // User info of a URL that does not end within reach may hold a password.
  const auto url = "http://user:" + std::string(2000, 'p');
  CHECK(redact(url) == "[REDACTED:line of " + std::to_string(url.size()) + " bytes]");
}

TEST_CASE("any bytes, any cut: nothing crashes, and no secret of full length survives") {
  const Redactor redactor;
  for (const auto& row : secrets()) {
    for (std::size_t n = 0; n <= row.text.size(); ++n) {
      std::string out;
      redactor.redact(std::string_view(row.text).substr(0, n), out);
      redactor.redact(std::string_view(row.text).substr(n), out);
    }
  }
  CHECK(redact(std::string("\0password=\0x1\0 y", 16)).find("x1") == std::string::npos);
  CHECK(redact("\xff\xfe password=\xff\xff\x31 z").find('\x31') == std::string::npos);
}

TEST_CASE("time grows with the length of hostile lines") {
  const Redactor redactor;
  const auto seconds = [&](const std::string& unit, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += unit;
    std::string out;
    const double begin = own_seconds();
    redactor.redact(text, out);
    return own_seconds() - begin;
  };
  // Eight times the bytes: 8 times as long, where a quadratic matcher takes 64 times.
  for (const std::string unit : {"a://",
                                 "eyJh",
                                 "eyJhbGciOi.",
                                 "password",
                                 "password=\"",
                                 "token: ",
                                 "-----BEGIN PRIVATE KEY ",
                                 "4111 ",
                                 "4111111111111111 ",
                                 "sk-",
                                 "ghp_",
                                 "x:y@tcp(",
                                 ":AAa",
                                 "Authorization: ",
                                 "Cookie: a ",
                                 "secret=,",
                                 "a1,",
                                 " -u a",
                                 "a://b:c/",
                                 "[\"token\":",
                                 "password=${",
                                 "auth=",
                                 "auth=a1,",
                                 "pass: ",
                                 "(\"password\",\"a",
                                 "{\"password\":{\"value\":",
                                 "passphrase=a b c ",
                                 "password is ",
                                 "a://b:c,d",
                                 "a://b:c@d/",
                                 "jdbc:oracle:thin:a",
                                 "$6$a",
                                 "$2y$",
                                 "oal1.",
                                 "\x1b[31m",
                                 "\x1b[31mpassword\x1b[0m=",
                                 "session_id=",
                                 "cookie:",
                                 "Cookie: a=b; ",
                                 "--user=",
                                 "authorization:REDACTED",
                                 "password%3Da%26",
                                 "AIza-",
                                 "NRII-",
                                 "mysql -p\u201c-",
                                 "identified by \u201cis x ",
                                 "/aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3bC5dE7fG9h",
                                 "AKIAQ3EGQWERTYUIOPAS ",
                                 "bearer a",
                                 "/webhooks/1",
                                 "://a:b",
                                 "sig=a"}) {
    CAPTURE(unit);
    const double eighth = seconds(unit, 1U << 17);
    const double taken = seconds(unit, 1U << 20);
    CHECK(taken < 24 * eighth + 0.25);
#ifdef NDEBUG  // the product's own speed: sanitizers and -O0 multiply it by what they cost themselves
    CHECK(taken < 2.0);
#endif
  }
}

TEST_CASE("the prefilter passes over no anchor: compared with looking at every place") {
  SecretPrefilter filter;
  add_secret_anchors(filter);
  filter.seal();
  std::size_t anchors = 0;
  const auto compare = [&](std::string_view text) {
    std::size_t next = filter.next(text, 0);
    for (std::size_t at = 0; at + SecretPrefilter::kAnchorBytes <= text.size(); ++at) {
      bool stands = false;
      filter.tags(text, at, [&](std::uint16_t) { stands = true; });
      anchors += stands ? 1 : 0;
      if (next == at) {
        next = filter.next(text, at + 1);
      } else {
        REQUIRE_FALSE(stands);
        REQUIRE(next > at);
      }
    }
    CHECK(next == SecretPrefilter::kNone);
  };
  for (const auto& row : secrets()) compare(row.text);
  for (const auto& line : corpus("develop_clean.txt")) compare(line);
  // Every alignment and every length.
  const std::string text = "xx password=a AKIA eyJhb ://";
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    for (std::size_t end = begin; end <= text.size(); ++end)
      compare(std::string_view(text).substr(begin, end - begin));
  }
  CHECK(anchors > 1000);
}

TEST_CASE("card numbers: groups, issuers and Luhn") {
  CHECK(next_card_number("4111111111111111", 0).end == 16);
  CHECK_FALSE(next_card_number("4111111111111112", 0));   // Luhn
  CHECK_FALSE(next_card_number("1111111111111117", 0));   // No issuer
  CHECK_FALSE(next_card_number("41111111111111110", 0));  // Length
  CHECK_FALSE(next_card_number("x4111111111111111", 0));  // Part of a word
  CHECK_FALSE(next_card_number("4111111111111111x", 0));
  CHECK_FALSE(next_card_number("411 111 111 111 111 1", 0));
  CHECK_FALSE(next_card_number("blk_-4111111111111111", 0));  // Part of a name
  CHECK_FALSE(next_card_number("411111111-1111111", 0));      // No groups of cards
  CHECK(next_card_number("3782 822463 10005", 0));
  for (std::size_t before = 0; before < 40; ++before) {
    const auto text =
        std::string(before, '.') + "4111-1111-1111-1111" + std::string(before % 7, '.');
    const auto card = next_card_number(text, 0);
    CHECK(card.begin == before);
    CHECK(card.end == before + 19);
  }
}
