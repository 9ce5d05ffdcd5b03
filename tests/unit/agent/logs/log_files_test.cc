#include "agent/logs/log_files.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

bool none_followed(const std::string&) {
  return false;
}

struct Tree {
  test::TempDir dir;
  void touch(const std::string& name) {
    fs::create_directories(fs::path(dir / name).parent_path());
    std::ofstream(dir / name) << "x\n";
  }
  Names names(const std::vector<MatchedLog>& logs) const {
    Names out;
    for (const auto& log : logs) out.push_back(log.path.substr(dir.path().size() + 1));
    return out;
  }
  Names scan(LogFilesOptions options) const {
    return names(LogFiles(std::move(options)).scan(1, none_followed));
  }
};

}  // namespace

TEST_CASE("patterns choose files; rotated ones, links to chosen ones and exclusions are left out") {
  Tree tree;
  for (const char* name : {"a.log", "a.log.1", "a.log.2.gz", "b.log", "b-20261121.log", "c-1.log",
                           "debug.log", "sub/d.log", "e.txt", "lone.log.3"})
    tree.touch(name);
  fs::create_symlink("a.log", tree.dir / "link.log");
  fs::create_symlink("e.txt", tree.dir / "other.log");
  fs::create_directory(tree.dir / "folder.log");
  LogFilesOptions options;
  options.plain = {tree.dir / "*.log*"};
  options.exclude = {"debug.*"};
  // other.log leads to a file that no pattern names; the live file of lone.log.3 is not there.
  CHECK(tree.scan(options) == Names{"a.log", "b.log", "c-1.log", "lone.log.3", "other.log"});
  options.plain = {tree.dir / "*/*.log"};
  options.exclude = {tree.dir / "sub/*"};
  CHECK(tree.scan(options).empty());
  options.exclude.clear();
  CHECK(tree.scan(options) == Names{"sub/d.log"});
}

TEST_CASE("between renaming and creating, the rotated file is not taken for another log") {
  Tree tree;
  tree.touch("a.log.1");
  LogFilesOptions options;
  options.plain = {tree.dir / "a.log*"};
  LogFiles files(options);
  const auto followed = [&](const std::string& path) { return path == tree.dir / "a.log"; };
  CHECK(files.scan(1, followed).empty());
  CHECK(files.scan(1, none_followed).size() == 1);
}

TEST_CASE("when a pattern was first scanned is remembered, for each by itself") {
  Tree tree;
  tree.touch("a.log");
  LogFilesOptions options;
  options.plain = {tree.dir / "a*"};
  LogFiles files(options);
  auto found = files.scan(100, none_followed);
  REQUIRE(found.size() == 1);
  CHECK(found[0].older_starts_at_end_ns == 100);
  CHECK(found[0].first_scan);
  CHECK(files.scan(200, none_followed)[0].older_starts_at_end_ns == 100);
  CHECK_FALSE(files.scan(200, none_followed)[0].first_scan);
  const auto checkpoint = files.checkpoint();
  REQUIRE(checkpoint);
  CHECK(checkpoint->source == kLogFilesSource);
  files.committed();
  CHECK_FALSE(files.checkpoint());

  tree.touch("b.log");
  options.plain.push_back(tree.dir / "b*");
  LogFiles again(options);
  REQUIRE(again.restore(checkpoint->state));
  found = again.scan(300, none_followed);
  REQUIRE(found.size() == 2);
  CHECK(found[0].older_starts_at_end_ns == 100);
  CHECK(found[1].older_starts_at_end_ns == 300);
  for (const char* damaged :
       {"", "observeai-log-files 2\nend\n", "observeai-log-files 1\n",
        "observeai-log-files 1\npattern x y\nend\n", "observeai-log-files 1\nfoo\nend\n"})
    CHECK_FALSE(again.restore(damaged));
  options.read_existing = true;
  CHECK(LogFiles(options).scan(300, none_followed)[0].older_starts_at_end_ns == INT64_MIN);
}

TEST_CASE("CRI logs are read from their beginning; links among them are Docker's") {
  Tree tree;
  tree.touch("pods/shop_cart-1_3f2a/app/0.log");
  tree.touch("docker.log");
  fs::create_symlink(tree.dir / "docker.log", tree.dir / "pods/shop_cart-1_3f2a/app/1.log");
  LogFilesOptions options;
  options.cri = {tree.dir / "pods/*/*/*.log"};
  LogFiles files(options);
  const auto found = files.scan(100, none_followed);
  REQUIRE(found.size() == 1);
  CHECK(found[0].format == LogFormat::kCri);
  CHECK(found[0].older_starts_at_end_ns == INT64_MIN);
  CHECK(files.wants(found[0].path, LogFormat::kCri));
  CHECK_FALSE(files.wants(found[0].path, LogFormat::kPlain));
  CHECK(log_target(found[0].path, LogFormat::kCri) == "pod/shop/cart-1/app");
  CHECK(log_target("/x/0.log", LogFormat::kCri) == "file/x/0.log");
  CHECK(log_target("/var/log/syslog", LogFormat::kPlain) == "file/var/log/syslog");
}

TEST_CASE("names of sources come back") {
  for (const auto format : {LogFormat::kPlain, LogFormat::kCri}) {
    const auto named = parse_log_source_name(log_source_name("/var/log/x", format));
    REQUIRE(named);
    CHECK(named->path == "/var/log/x");
    CHECK(named->format == format);
  }
  for (const char* other : {"log/files", "log/container/c1", "log/file", "metrics", ""})
    CHECK_FALSE(parse_log_source_name(other));
}

TEST_CASE("no more files than the limit, and how many were left out is known") {
  Tree tree;
  for (int i = 0; i < 5; ++i) tree.touch("f" + std::to_string(i));
  LogFilesOptions options;
  options.plain = {tree.dir / "f*"};
  options.max_files = 5;
  LogFiles at_limit(options);
  CHECK(at_limit.scan(1, none_followed).size() == 5);
  CHECK(at_limit.left_out() == 0);
  tree.touch("f5");
  CHECK(at_limit.scan(1, none_followed).size() == 5);
  CHECK(at_limit.left_out() == 1);
}

TEST_CASE("what lies on a mount that may hang is left to others, with the time of the pattern") {
  Tree tree;
  const std::string root = fs::canonical(tree.dir.path()).string();
  for (const char* name : {"a/x.log", "nfs/x.log", "nfs/sub/y.log", "fuse/x.log"}) tree.touch(name);
  fs::create_symlink(root + "/nfs", root + "/link");
  fs::create_symlink(root + "/fuse/x.log", root + "/a/linked.log");
  LogFilesOptions options;
  options.plain = {root + "/*/*.log", root + "/nfs/sub/*.log"};
  const auto mounts = std::make_shared<const RemoteMounts>(
      RemoteMounts::parse("1 1 0:1 / " + root + "/nfs rw - nfs s:/ rw\n2 1 0:2 / " + root +
                          "/fuse rw - fuse.x x rw\n"));
  LogFiles local(options);
  local.set_mounts(mounts);
  CHECK(tree.names(local.scan(100, none_followed)) == Names{"a/x.log"});
  const auto elsewhere = local.elsewhere();
  REQUIRE(elsewhere.size() == 2);
  const auto& on_nfs = elsewhere.at(root + "/nfs");
  REQUIRE(on_nfs.size() == 2);
  CHECK(on_nfs[0] == PatternElsewhere{root + "/*/*.log", LogFormat::kPlain, 100});
  CHECK(elsewhere.at(root + "/fuse").size() == 1);

  options.place = root + "/nfs";
  LogFiles nfs(options);
  nfs.set_mounts(mounts);
  CHECK(nfs.scan(200, none_followed).empty());
  nfs.set_patterns(on_nfs);
  const auto found = nfs.scan(300, none_followed);
  CHECK(tree.names(found) == Names{"link/x.log", "nfs/sub/y.log", "nfs/x.log"});
  CHECK(found[0].older_starts_at_end_ns == 100);
  CHECK(found[0].first_scan);
  CHECK(nfs.checkpoint()->source == "log/files" + root + "/nfs");
  CHECK(place_of_files(nfs.source()) == root + "/nfs");
  CHECK(place_of_files("log/files") == kLocal);
  CHECK_FALSE(place_of_files("log/file/x"));
}

TEST_CASE("a first scan under a clock that was ahead makes no file old") {
  Tree tree;
  tree.touch("a.log");
  LogFilesOptions options;
  options.plain = {tree.dir / "*.log"};
  LogFiles files(options);
  constexpr std::int64_t kYearNs = 31'536'000'000'000'000;
  CHECK(files.scan(kYearNs + 100, none_followed)[0].older_starts_at_end_ns == kYearNs + 100);
  files.committed();
  // The clock was set right: what is born from now on, and what was born meanwhile, is read whole.
  CHECK(files.scan(200, none_followed)[0].older_starts_at_end_ns == 0);
  REQUIRE(files.checkpoint());
  LogFiles restarted(options);
  REQUIRE(restarted.restore(files.checkpoint()->state));
  CHECK(restarted.scan(300, none_followed)[0].older_starts_at_end_ns == 0);
}
