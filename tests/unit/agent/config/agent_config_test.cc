#include <doctest/doctest.h>

#include "agent/config/agent_config.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

TEST_CASE("defaults, printed, are a valid configuration") {
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "c.toml", config::print_toml(AgentConfig{}), 0644));
  const auto read = load_agent_config(dir / "c.toml", true);
  REQUIRE(read);
  CHECK(config::print_toml(*read) == config::print_toml(AgentConfig{}));
}

TEST_CASE("a missing file is fine only when nobody named it") {
  test::TempDir dir;
  CHECK(load_agent_config(dir / "none", false));
  CHECK(load_agent_config(dir / "none", true).error().code() == Errc::kNotFound);
}

TEST_CASE("wrong content is refused with the place and the remedy") {
  test::TempDir dir;
  const auto problem = [&](std::string_view text) {
    REQUIRE(files::write_atomic(dir / "c.toml", text, 0644));
    const auto read = load_agent_config(dir / "c.toml", true);
    return read ? std::string() : read.error().message();
  };
  CHECK(problem("\nlog_level = \"lod\"").find("c.toml:2: log_level: ") != std::string::npos);
  CHECK(problem("log_level = \"loud\"").find("log level must be") != std::string::npos);
  CHECK(problem("state_dir = \"\"").find("c.toml:1: state_dir: must not be empty") !=
        std::string::npos);
  CHECK(problem("log_levl = \"info\"").find("did you mean \"log_level\"?") != std::string::npos);
  CHECK(problem("[certificates]\nfiles = [\"a.pem\"]").find("absolute paths, not \"a.pem\"") !=
        std::string::npos);
  CHECK(problem("[logs]\nfiles = [\"app/*.log\"]").find("absolute paths, not \"app/*.log\"") !=
        std::string::npos);
  CHECK(problem("state_dir = 7").find("c.toml:1: state_dir must be a text") != std::string::npos);
}

TEST_CASE(
    "the engine is asked through the gateway where there is one, and where the settings say") {
  test::TempDir dir;
  AgentConfig config;
  CHECK(docker_socket_of(config, dir / "gateway.sock") == "/var/run/docker.sock");
  REQUIRE(files::write_atomic(dir / "gateway.sock", "", 0600).has_value());
  CHECK(docker_socket_of(config, dir / "gateway.sock") == dir / "gateway.sock");
  config.docker_socket = "/run/other.sock";
  CHECK(docker_socket_of(config, dir / "gateway.sock") == "/run/other.sock");
}
