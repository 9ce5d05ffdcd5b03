// cache.clear on a real redis-server, and on servers that are none.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "agent/executor/actions/redis_actions.h"
#include "agent/executor/actions/redis_client.h"
#include "agent/executor/pidfd.h"
#include "protocol/base/files.h"
#include "tests/integration/executor_host/action_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using namespace std::chrono_literals;

namespace {

constexpr const char* kName = "cache.clear";
wire::Parameters whole(const wire::Parameters& said) {
  return test::ActionRig::whole(kName, said);
}

constexpr const char* kServer = "/usr/bin/redis-server";

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> more = {}) {
    if (!std::filesystem::exists(kServer)) {
      std::cerr << "SKIPPED: cache.clear is NOT tested here: needs the package redis-server\n";
      std::exit(77);
    }
    std::vector<std::string> arguments = {
        kServer, "--port", "0", "--save", "", "--dir", dir_.path(), "--unixsocket", socket()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> raw;
    for (auto& one : arguments) raw.push_back(one.data());
    raw.push_back(nullptr);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const int null = ::open("/dev/null", O_RDWR);
      for (const int fd : {0, 1, 2}) ::dup2(null, fd);
      ::execv(kServer, raw.data());
      ::_exit(127);
    }
    held_ = open_pidfd(pid_);
    for (int i = 0; i < 200 && !std::filesystem::exists(socket()); ++i)
      std::this_thread::sleep_for(20ms);
    REQUIRE(std::filesystem::exists(socket()));
  }
  ~RedisServer() {
    if (pid_ <= 0) return;
    send_signal(held_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string socket() const { return dir_ / "redis.sock"; }
  std::string address() const { return "unix:" + socket(); }

  RedisReply call(const std::vector<std::string>& arguments, std::int64_t database = 0,
                  const std::string& password = "") const {
    SystemClock clock;
    Run run(clock, clock.steady_now() + 20s, 100);
    auto client = RedisClient::connect(address(), run);
    REQUIRE(client.has_value());
    if (!password.empty()) REQUIRE((*client)->call({"AUTH", password}).has_value());
    REQUIRE((*client)->call({"SELECT", std::to_string(database)}).has_value());
    auto reply = (*client)->call(arguments);
    REQUIRE_MESSAGE(reply.has_value(), reply.error().message());
    return *std::move(reply);
  }
  // `count` keys "<prefix><number>".
  void fill(const std::string& prefix, int count, std::int64_t database = 0) const {
    call({"EVAL", "for i=1," + std::to_string(count) + " do redis.call('SET', ARGV[1]..i, i) end",
          "0", prefix},
         database);
  }
  std::int64_t keys(std::int64_t database = 0) const { return call({"DBSIZE"}, database).integer; }

 private:
  test::TempDir dir_;
  pid_t pid_ = -1;
  UniqueFd held_;
};

class Cache {
 public:
  explicit Cache(const std::string& address, std::vector<std::string> prefixes = {"page:"}) {
    rig.host.lists.caches["pages"] = {address, std::move(prefixes), ""};
  }
  static wire::Parameters parameters(const std::string& prefix = "page:") {
    return {{"cache", "pages"}, {"prefix", prefix}};
  }
  test::ActionRig rig;
};

// Accepts one connection and answers each read with the next part.
class FalseServer {
 public:
  FalseServer(std::vector<std::string> parts, std::chrono::milliseconds pause)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 1) == 0);
    thread_ = std::thread([this, parts, pause] {
      const UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
      char buffer[4096];
      if (::recv(peer.get(), buffer, sizeof buffer, 0) <= 0) return;
      for (const auto& part : parts) {
        if (over_ || ::send(peer.get(), part.data(), part.size(), MSG_NOSIGNAL) < 0) return;
        std::this_thread::sleep_for(pause);
      }
      while (!over_) std::this_thread::sleep_for(5ms);
    });
  }
  ~FalseServer() {
    over_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string path() const { return dir_ / "false.sock"; }

 private:
  test::TempDir dir_;
  UniqueFd listener_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

Error error_from(FalseServer& server, std::chrono::milliseconds timeout = 3s) {
  SystemClock clock;
  Run run(clock, clock.steady_now() + timeout, 100);
  auto client = RedisClient::connect("unix:" + server.path(), run);
  REQUIRE(client.has_value());
  auto reply = (*client)->call({"PING"});
  REQUIRE_FALSE(reply.has_value());
  return reply.error();
}

}  // namespace

TEST_CASE("the keys of a prefix go, counted before and after; others and other databases stay") {
  RedisServer server;
  server.fill("page:", 12'345);
  server.fill("pages:", 10);
  server.fill("session:", 20);
  server.fill("page:", 7, 3);
  Cache cache(server.address());
  const auto outcome = cache.rig.carry_out(kName, Cache::parameters());
  CHECK(outcome.real ==
        std::vector<wire::Change>{{"keys page:* in database 0 of pages", "at most 100000", "0"}});
  CHECK(server.keys() == 30);
  CHECK(server.keys(3) == 7);
  CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kUnavailable);
  auto third = Cache::parameters();
  third["database"] = std::int64_t{3};
  CHECK(cache.rig.assess(kName, third)->facts == wire::Labels{{"keys", "7"}});
  cache.rig.carry_out(kName, third);
  CHECK(server.keys(3) == 0);
}

TEST_CASE("what looks like a pattern in a prefix is none; keys are bytes of any kind") {
  RedisServer server;
  const std::string odd = "a*b?[c]\\^-:";
  server.call({"SET", odd + std::string("\0\xff key", 6), "1"});
  server.call({"SET", odd + "2", "1"});
  server.call({"SET", "aXXbY", "1"});
  server.call({"SET", "a*b?c", "1"});
  Cache cache(server.address(), {odd});
  auto run = cache.rig.run();
  // The catalogue lets no such prefix pass; the action itself is not fooled either.
  auto seen = cache.rig.action(kName).assess(whole(Cache::parameters(odd)), run);
  REQUIRE(seen.has_value());
  CHECK(seen->facts == wire::Labels{{"keys", "2"}});
  REQUIRE(cache.rig.action(kName).execute(whole(Cache::parameters(odd)), *seen, run).has_value());
  CHECK(server.keys() == 2);
  CHECK(glob_of_prefix("a*") == "a\\**");
}

TEST_CASE("only what the policy lists") {
  RedisServer server;
  server.fill("page:", 3);
  Cache cache(server.address());
  CHECK(cache.rig.refused(kName, Cache::parameters("session:")) == Errc::kDenied);
  CHECK(cache.rig.refused(kName, Cache::parameters("page")) == Errc::kDenied);
  CHECK(cache.rig.refused(kName, Cache::parameters("page:1")) == Errc::kDenied);
  auto other = Cache::parameters();
  other["cache"] = "other";
  CHECK(cache.rig.refused(kName, other) == Errc::kDenied);
  CHECK(server.keys() == 3);
}

TEST_CASE("more keys than max_keys: refused, also when they come between look and removal") {
  RedisServer server;
  server.fill("page:", 2001);
  Cache cache(server.address());
  auto parameters = Cache::parameters();
  parameters["max_keys"] = std::int64_t{2000};
  CHECK(cache.rig.refused(kName, parameters) == Errc::kLimit);
  parameters["max_keys"] = std::int64_t{2001};
  auto seen = cache.rig.assess(kName, parameters);
  REQUIRE(seen.has_value());
  server.fill("page:more:", 5000);
  auto run = cache.rig.run();
  CHECK(cache.rig.action(kName).execute(whole(parameters), *seen, run).error().code() ==
        Errc::kLimit);
  CHECK(server.keys() >= 5000);
}

TEST_CASE("a cache in use has another number of keys each second: what was approved is a bound") {
  RedisServer server;
  server.fill("page:", 50);
  Cache cache(server.address());
  auto parameters = Cache::parameters();
  parameters["max_keys"] = std::int64_t{60};
  const auto approved = cache.rig.assess(kName, parameters);
  REQUIRE(approved.has_value());
  CHECK(approved->diff.at(0).before == "at most 60");
  server.fill("page:more:", 5);
  const auto before = cache.rig.assess(kName, parameters);
  REQUIRE(before.has_value());
  CHECK(before->state == approved->state);
  CHECK(before->diff == approved->diff);
  CHECK(before->facts != approved->facts);
  server.fill("page:more:", 11);
  CHECK(cache.rig.refused(kName, parameters) == Errc::kLimit);
}

TEST_CASE("keys that are written while others go are told as left") {
  RedisServer server;
  server.fill("page:", 50);
  Cache cache(server.address());
  auto seen = cache.rig.assess(kName, Cache::parameters());
  REQUIRE(seen.has_value());
  auto run = cache.rig.run();
  REQUIRE(cache.rig.action(kName).execute(whole(Cache::parameters()), *seen, run).has_value());
  server.fill("page:new:", 4);
  CHECK(
      cache.rig.action(kName).verify(whole(Cache::parameters()), *seen, run)->at(0) ==
      wire::Change{"keys page:* in database 0 of pages", "at most 100000", "4, written meanwhile"});
}

TEST_CASE("a password from its file; without it and with another nothing") {
  RedisServer server({"--requirepass", "s3cret"});
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "password", "s3cret\n", 0600).has_value());
  server.call({"SET", "page:1", "1"}, 0, "s3cret");
  Cache cache(server.address());
  CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kDenied);
  cache.rig.host.lists.caches["pages"].password_file = dir / "password";
  const auto seen = cache.rig.assess(kName, Cache::parameters());
  REQUIRE(seen.has_value());
  CHECK(seen->state.find("s3cret") == std::string::npos);
  REQUIRE(files::write_atomic(dir / "password", "other", 0600).has_value());
  CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kDenied);
  cache.rig.host.lists.caches["pages"].password_file = dir / "none";
  CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kNotFound);
}

TEST_CASE("replicas and clusters are refused; a restart of the server is another state") {
  RedisServer replica({"--replicaof", "127.0.0.1", "1", "--replica-read-only", "no"});
  Cache of_replica(replica.address());
  CHECK(of_replica.rig.refused(kName, Cache::parameters()) == Errc::kDenied);
  RedisServer cluster({"--cluster-enabled", "yes", "--port",
                       std::to_string(17'000 + ::getpid() % 4'000), "--bind", "127.0.0.1"});
  Cache of_cluster(cluster.address());
  CHECK(of_cluster.rig.refused(kName, Cache::parameters()) == Errc::kDenied);
  std::string states[2];
  for (auto& state : states) {
    RedisServer server;
    server.fill("page:", 1);
    Cache cache(server.address());
    auto text = cache.rig.assess(kName, Cache::parameters())->state;
    state = text.substr(text.find("run_id="));
  }
  CHECK(states[0] != states[1]);
}

TEST_CASE("addresses: literal or a socket; nobody there") {
  Cache cache("localhost:6379");
  for (const char* address : {"localhost:6379", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000",
                              "unix:relative", "", "127.0.0.1:6379x", "redis.example:6379"}) {
    cache.rig.host.lists.caches["pages"].address = address;
    CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kInvalid);
  }
  for (const char* address : {"unix:/nonexistent/redis.sock", "127.0.0.1:1", "[::1]:1"}) {
    cache.rig.host.lists.caches["pages"].address = address;
    CHECK(cache.rig.refused(kName, Cache::parameters()) == Errc::kUnavailable);
  }
}

TEST_CASE("servers that are none: silent, dripping, claiming, speaking something else") {
  const auto began = std::chrono::steady_clock::now();
  FalseServer silent({}, 0ms);
  CHECK(error_from(silent, 300ms).code() == Errc::kTimeout);
  FalseServer dripping(std::vector<std::string>(1000, "+"), 20ms);
  CHECK(error_from(dripping, 300ms).code() == Errc::kTimeout);
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  FalseServer many({"*2000000000\r\n"}, 0ms);
  CHECK(error_from(many).code() == Errc::kLimit);
  FalseServer http({"HTTP/1.1 400 Bad Request\r\n\r\n"}, 0ms);
  CHECK(error_from(http).code() == Errc::kCorrupt);
  FalseServer large(std::vector<std::string>(40, std::string(1 << 20, 'x')), 0ms);
  CHECK(error_from(large).code() == Errc::kCorrupt);
  std::vector<std::string> bulk(40, std::string(1 << 20, 'x'));
  bulk.front() = "$100000000\r\n";
  FalseServer bulky(bulk, 0ms);
  CHECK(error_from(bulky, 20s).code() == Errc::kLimit);
}
