#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "controlplane/broker/broker_user.h"
#include "controlplane/broker/generations.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {
BrokerFiles some_files() {
  return {"ca", "crl", "certificate", "key", "acl"};
}
}  // namespace

TEST_CASE("a generation is a complete folder, readable by nobody else") {
  test::TempDir directory;
  const Generations generations(directory.path());
  CHECK(generations.current().error().code() == Errc::kNotFound);
  const auto first = generations.write({}, some_files());
  REQUIRE(first);
  const auto user = find_broker_user("mosquitto").value();
  const auto mode_is = [&](const std::string& path, unsigned alone, unsigned shared) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK(info.st_uid == ::geteuid());
    CHECK((info.st_mode & 0777) == (user ? shared : alone));
    if (user) CHECK(info.st_gid == user->gid);
  };
  mode_is(*first, 0700, 0750);
  CHECK(*first == directory / "broker/gen-1");
  for (const char* name :
       {"ca.pem", "crl.pem", "server.pem", "server.key", "acl", "mosquitto.conf"}) {
    mode_is(*first + "/" + name, 0600, 0640);
  }
  CHECK(files::read(*first + "/server.key").value() == "key");
  CHECK(generations.current().error().code() == Errc::kNotFound);  // Written is not active.
}

TEST_CASE("activate swaps the link; prune keeps the newest and the active one") {
  test::TempDir directory;
  const Generations generations(directory.path());
  std::vector<std::string> paths;
  for (int i = 0; i < 5; ++i) paths.push_back(generations.write({}, some_files()).value());
  REQUIRE(generations.activate(paths[1]));
  CHECK(generations.current().value() == paths[1]);
  REQUIRE(generations.activate(paths[0]));
  CHECK(generations.current().value() == paths[0]);
  generations.prune(2);
  CHECK(files::exists(paths[0]));
  CHECK(!files::exists(paths[1]));
  CHECK(!files::exists(paths[2]));
  CHECK(files::exists(paths[3]));
  CHECK(files::exists(paths[4]));
  // Numbers are not used twice while a newer folder exists.
  CHECK(generations.write({}, some_files()).value() == directory / "broker/gen-6");
}

TEST_CASE("a halt is remembered until it is cleared") {
  test::TempDir directory;
  const Generations generations(directory.path());
  REQUIRE(generations.write({}, some_files()));
  CHECK(generations.halted().empty());
  REQUIRE(generations.set_halted("live check failed"));
  CHECK(generations.halted() == "live check failed");
  REQUIRE(generations.set_halted(""));
  CHECK(!generations.halted().empty());
  REQUIRE(generations.clear_halted());
  REQUIRE(generations.clear_halted());
  CHECK(generations.halted().empty());
}

TEST_CASE("the mark of a live check belongs to one generation and lasts") {
  test::TempDir directory;
  const Generations generations(directory.path());
  const auto first = generations.write({}, some_files()).value();
  const auto second = generations.write({}, some_files()).value();
  CHECK(!generations.is_checked(first));
  REQUIRE(generations.set_checked(first));
  CHECK(Generations(directory.path()).is_checked(first));
  CHECK(!generations.is_checked(second));
  REQUIRE(generations.clear_checked());
  REQUIRE(generations.clear_checked());
  CHECK(!generations.is_checked(first));
}
