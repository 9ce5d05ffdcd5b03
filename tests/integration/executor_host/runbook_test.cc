// Runbooks as real files: links, owners, modes, and files that change at the worst moment.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "protocol/base/files.h"
#include "protocol/signing/sealing.h"
#include "tests/integration/executor_host/action_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

constexpr const char* kGood =
    "#!/bin/sh\nset -e\necho \"$#:$1\"\necho done >\"${1#--file=}\"\nexit 0\n";

// A folder with one runbook, listed as "tidy" with one parameter.
class Site {
 public:
  Site() {
    rig.host.site_owner = ::getuid();
    place(kGood);
    list("tidy", path(), signing::sha256_hex(kGood));
  }
  std::string path() const { return dir / "tidy"; }
  std::string mark() const { return dir / "mark"; }
  void place(const std::string& text, unsigned mode = 0755) const {
    REQUIRE(files::write_atomic(path(), text, mode).has_value());
    ::chmod(path().c_str(), mode);
  }
  void list(const std::string& name, const std::string& file, const std::string& sha256) {
    SiteLists::Runbook runbook;
    runbook.path = file;
    runbook.sha256 = sha256;
    runbook.parameters = {{.name = "file",
                           .integer = false,
                           .min = 0,
                           .max = 0,
                           .choices = {mark(), "; touch /tmp/x"},
                           .required = true}};
    rig.host.lists.runbooks[name] = runbook;
  }
  wire::Parameters parameters(const std::string& name = "tidy") const {
    return {{"runbook", name}, {"file", mark()}};
  }

  test::TempDir dir;
  test::ActionRig rig;
};

}  // namespace

TEST_CASE("a listed runbook runs with its parameters as arguments") {
  Site site;
  const auto outcome = site.rig.carry_out("runbook", site.parameters());
  REQUIRE(outcome.real.size() == 1);
  CHECK(outcome.real[0].what == "runbook tidy");
  CHECK(outcome.real[0].after ==
        "runs " + signing::sha256_hex(kGood).substr(0, 12) + " with --file=" + site.mark());
  CHECK(outcome.output == "1:--file=" + site.mark() + "\n");
  CHECK(*files::read(site.mark()) == "done\n");
}

TEST_CASE("a value is one argument, whatever is in it") {
  Site site;
  site.place("#!/bin/sh\necho \"$#:$1\"\n");
  site.list("tidy", site.path(), signing::sha256_hex(*files::read(site.path())));
  auto parameters = site.parameters();
  parameters["file"] = "; touch /tmp/x";
  CHECK(site.rig.carry_out("runbook", parameters).output == "1:--file=; touch /tmp/x\n");
}

TEST_CASE("what fails is told, with its output") {
  Site site;
  site.place("#!/bin/sh\necho no luck\nexit 3\n");
  site.list("tidy", site.path(), signing::sha256_hex(*files::read(site.path())));
  auto seen = site.rig.assess("runbook", site.parameters());
  REQUIRE(seen.has_value());
  auto run = site.rig.run();
  auto done = site.rig.action("runbook").execute(site.parameters(), *seen, run);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().message() == "tidy: exit code 3");
  CHECK(run.text() == "no luck\n");
  // Nothing was carried out, so nothing is claimed.
  CHECK(site.rig.action("runbook").verify(site.parameters(), *seen, run)->empty());
}

TEST_CASE("what is not exactly what the owner listed is refused") {
  Site site;
  CHECK(site.rig.refused("runbook", site.parameters("other")) == Errc::kDenied);
  auto unknown = site.parameters();
  unknown["force"] = true;
  CHECK(site.rig.refused("runbook", unknown) == Errc::kInvalid);

  site.place(std::string(kGood) + "# changed\n");
  CHECK(site.rig.refused("runbook", site.parameters()) == Errc::kCorrupt);
  site.place(kGood, 0775);
  CHECK(site.rig.refused("runbook", site.parameters()) == Errc::kDenied);
  site.place(kGood, 0757);
  CHECK(site.rig.refused("runbook", site.parameters()) == Errc::kDenied);
  site.place(kGood, 0644);
  CHECK(site.rig.refused("runbook", site.parameters()) == Errc::kDenied);
  site.place(kGood);
  CHECK(site.rig.assess("runbook", site.parameters()).has_value());
  site.rig.host.site_owner = 4242;
  CHECK(site.rig.refused("runbook", site.parameters()) == Errc::kDenied);
  site.rig.host.site_owner = ::getuid();

  const auto hash = signing::sha256_hex(kGood);
  std::filesystem::create_symlink(site.path(), site.dir / "link");
  site.list("link", site.dir / "link", hash);
  CHECK(site.rig.refused("runbook", site.parameters("link")) == Errc::kDenied);
  std::filesystem::create_directory_symlink(site.dir.path(), site.dir / "folder");
  site.list("folder", site.dir / "folder" + "/tidy", hash);
  CHECK(site.rig.refused("runbook", site.parameters("folder")) == Errc::kDenied);
  site.list("self", "/proc/self/exe", hash);
  CHECK(site.rig.refused("runbook", site.parameters("self")) == Errc::kDenied);
  site.list("gone", site.dir / "gone", hash);
  CHECK(site.rig.refused("runbook", site.parameters("gone")) == Errc::kNotFound);
  REQUIRE(::mkfifo((site.dir / "pipe").c_str(), 0700) == 0);
  site.list("pipe", site.dir / "pipe", hash);
  CHECK(site.rig.refused("runbook", site.parameters("pipe")) == Errc::kDenied);
  CHECK_FALSE(files::exists(site.mark()));
}

TEST_CASE("a runbook that changed after the dry run does not run") {
  Site site;
  auto seen = site.rig.assess("runbook", site.parameters());
  REQUIRE(seen.has_value());
  site.place("#!/bin/sh\ntouch \"${1#--file=}\"\n");
  auto run = site.rig.run();
  CHECK(site.rig.action("runbook").execute(site.parameters(), *seen, run).error().code() ==
        Errc::kCorrupt);
  // The owner lists the new one too: still not what was assessed.
  site.list("tidy", site.path(), signing::sha256_hex(*files::read(site.path())));
  CHECK(site.rig.action("runbook").execute(site.parameters(), *seen, run).error().code() ==
        Errc::kCorrupt);
  CHECK_FALSE(files::exists(site.mark()));
}

TEST_CASE("a file that is rewritten all the time never runs with other bytes") {
  Site site;
  const std::string evil = "#!/bin/sh\necho evil; : >\"$0.evil\"\n";
  std::atomic<bool> over = false;
  std::thread swapper([&] {
    // In place and by rename.
    for (int round = 0; !over; ++round) {
      if (round % 2 == 0) {
        std::ofstream(site.path(), std::ios::trunc) << evil;
        std::ofstream(site.path(), std::ios::trunc) << kGood;
      } else {
        (void)files::write_atomic(site.path(), evil, 0755);
        (void)files::write_atomic(site.path(), kGood, 0755);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(3));  // Or hardly one would ever run
    }
  });
  int ran = 0;
  int refused = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((ran < 20 || refused < 300) && std::chrono::steady_clock::now() < until) {
    auto run = site.rig.run();
    auto seen = site.rig.action("runbook").assess(site.parameters(), run);
    if (!seen) {
      ++refused;
      continue;
    }
    auto done = site.rig.action("runbook").execute(site.parameters(), *seen, run);
    (done ? ran : refused) += 1;
    CHECK(run.text().find("evil") == std::string::npos);
  }
  over = true;
  swapper.join();
  MESSAGE("ran " << ran << ", refused " << refused);
  CHECK(ran > 0);
  CHECK(refused > 0);
}
