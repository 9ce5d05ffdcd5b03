#include <sstream>

#include <doctest/doctest.h>

#include "controlplane/cli/credentials.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane::cli;

TEST_CASE("a login survives the file") {
  test::TempDir dir;
  const Credentials saved{{"cp.example.org", 8443, std::string(64, 'a')}, "oak1_x_y", "admin"};
  REQUIRE(save_credentials(dir / "deep/console.json", saved));
  const auto loaded = load_credentials(dir / "deep/console.json");
  REQUIRE(loaded);
  CHECK(loaded->server.host == "cp.example.org");
  CHECK(loaded->server.port == 8443);
  CHECK(loaded->key == "oak1_x_y");
}

TEST_CASE("a login text is an argument, a line of standard input, or asked for at a terminal") {
  const auto read = [](const std::string& argument, bool is_terminal, const std::string& input,
                       std::string* asked = nullptr) {
    std::istringstream in(input);
    std::ostringstream err;
    auto text = read_login_text(argument, is_terminal, in, err);
    if (asked != nullptr) *asked = err.str();
    return text;
  };
  std::string asked;
  CHECK(read("oal1.x", false, "other\n").value() == "oal1.x");
  CHECK(read("-", false, " oal1.x \r\nmore\n", &asked).value() == "oal1.x");
  CHECK(read("-", true, "oal1.x", &asked).value() == "oal1.x");
  CHECK(asked.empty());
  CHECK(read("", true, "oal1.x\n", &asked).value() == "oal1.x");
  CHECK_FALSE(asked.empty());
  const auto nothing = read("", false, "oal1.x\n");
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code() == Errc::kInvalid);
  CHECK(nothing.error().message().find("observeai login -") != std::string::npos);
  CHECK_FALSE(read("-", false, "\n"));
  CHECK(read("-", false, std::string(4096, 'x')));
  CHECK_FALSE(read("-", false, std::string(4097, 'x')));
}

TEST_CASE("no login and a damaged login say what to do") {
  test::TempDir dir;
  CHECK(load_credentials(dir / "none").error().message().find("observeai login") !=
        std::string::npos);
  for (const auto* text : {"", "{", "[]", "{\"host\":1}", "{\"host\":\"x\",\"port\":\"y\"}"}) {
    REQUIRE(files::write_atomic(dir / "c.json", text, 0600));
    const auto loaded = load_credentials(dir / "c.json");
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code() == Errc::kInvalid);
  }
}

TEST_CASE("a login text names host, port, code and key; the host may hold dots") {
  const std::string hash(64, 'b');
  const auto login = parse_login_text("  oal1.10.0.0.7.8443.secretcode." + hash + "\n");
  REQUIRE(login);
  CHECK(login->server.host == "10.0.0.7");
  CHECK(login->server.port == 8443);
  CHECK(login->code == "secretcode");
  CHECK(login->server.spki_sha256 == hash);
  for (const auto& bad : {std::string("oai1.x.1.c." + hash), std::string("oal1.h.0.c." + hash),
                          std::string("oal1.h.70000.c." + hash), std::string("oal1.h.1.c.abc"),
                          std::string("oal1"), std::string("oal1.h.1.." + hash)}) {
    CHECK_FALSE(parse_login_text(bad));
  }
}
