#include <doctest/doctest.h>

#include "controlplane/config/controlplane_config.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane;

TEST_CASE("defaults, printed, are a valid configuration") {
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "c.toml", config::print_toml(ControlPlaneConfig{}), 0644));
  const auto read = load_controlplane_config(dir / "c.toml", true);
  REQUIRE(read);
  CHECK(config::print_toml(*read) == config::print_toml(ControlPlaneConfig{}));
}

TEST_CASE("a missing file is fine only when nobody named it") {
  test::TempDir dir;
  CHECK(load_controlplane_config(dir / "none", false));
  CHECK(load_controlplane_config(dir / "none", true).error().code() == Errc::kNotFound);
}

TEST_CASE("wrong content is refused with the place and the remedy") {
  test::TempDir dir;
  const auto problem = [&](std::string_view text) {
    REQUIRE(files::write_atomic(dir / "c.toml", text, 0644));
    const auto read = load_controlplane_config(dir / "c.toml", true);
    return read ? std::string() : read.error().message();
  };
  CHECK(problem("log_level = \"loud\"").find("log level must be") != std::string::npos);
  CHECK(problem("log_levl = \"info\"").find("did you mean \"log_level\"?") != std::string::npos);
  CHECK(problem("state_dir = 7").find("c.toml:1: state_dir must be a text") != std::string::npos);
}

TEST_CASE("the life of certificates: a minute to a year, printed with its meaning") {
  test::TempDir dir;
  const auto read = [&](const std::string& value) {
    REQUIRE(files::write_atomic(dir / "c.toml",
                                "[enroll]\ncertificate_lifetime = \"" + value + "\"\n", 0644));
    return load_controlplane_config(dir / "c.toml", true);
  };
  CHECK(ControlPlaneConfig{}.certificate_lifetime == std::chrono::hours(24 * 30));
  CHECK(read("1m")->certificate_lifetime == std::chrono::minutes(1));
  CHECK(read("365d")->certificate_lifetime == std::chrono::hours(24 * 365));
  for (const auto* bad : {"59s", "366d", "0s", "soon"}) {
    const auto config = read(bad);
    CAPTURE(bad);
    REQUIRE(!config.has_value());
    CHECK(config.error().message().find("enroll.certificate_lifetime") != std::string::npos);
  }
  const auto printed = config::print_toml(ControlPlaneConfig{});
  CHECK(printed.find("\ncertificate_lifetime = \"") != std::string::npos);
  CHECK(printed.find("renewed at half of it") != std::string::npos);
}

TEST_CASE("whom the broker runs as is a setting, printed with its meaning") {
  const auto printed = config::print_toml(ControlPlaneConfig{});
  CHECK(printed.find("user = 'mosquitto'") != std::string::npos);
  CHECK(printed.find("whom the broker runs as when root starts it, never root") !=
        std::string::npos);
}
