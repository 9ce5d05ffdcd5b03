// BrokerControl with real brokers, real certificates and a supervisor: whatever was killed, missed or
// changed, the broker comes to run what the registry and the settings say.
#include <fcntl.h>
#include <grp.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include <doctest/doctest.h>

#include "controlplane/app/broker_control.h"
#include "controlplane/app/root_keys.h"
#include "controlplane/broker/broker_user.h"
#include "controlplane/broker/supervisor.h"
#include "protocol/pki/crl.h"
#include "protocol/pki/private_key.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/test_broker.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// The machine's time, some days off.
class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(std::int64_t by_ms = 0) : by_(milliseconds(by_ms)) {}
  WallTime wall_now() const override { return real_.wall_now() + by_; }
  SteadyTime steady_now() const override { return real_.steady_now(); }

 private:
  const SystemClock real_;
  const milliseconds by_;
};

template <class Condition>
bool eventually(Condition condition, milliseconds patience = seconds(15)) {
  const auto end = Steady::now() + patience;
  while (Steady::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return condition();
}

// The four user or group ids ("Uid", "Gid") of a process: real, effective, saved, of file access.
std::vector<std::uint64_t> ids_of(const std::string& pid, const std::string& what) {
  std::istringstream status(files::read("/proc/" + pid + "/status").value());
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(what + ":")) continue;
    std::istringstream rest(line.substr(what.size() + 1));
    return {std::istream_iterator<std::uint64_t>(rest), {}};
  }
  return {};
}

// Whether a process like the broker could open it if it stood in the file's folder already: the mode of
// the file alone, or of its folder.
bool can_open(const std::filesystem::path& path, const BrokerUser& user) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool became = ::chdir(path.parent_path().c_str()) == 0 && ::setgroups(0, nullptr) == 0 &&
                        ::setgid(user.gid) == 0 && ::setuid(user.uid) == 0;
    if (!became) ::_exit(2);
    ::_exit(::open(path.filename().c_str(), O_RDONLY) >= 0 ? 1 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) != 2);
  return WEXITSTATUS(status) == 1;
}

struct Site {
  TempDir directory;
  ShiftedClock clock;
  MemoryRepositories store;
  std::vector<std::string> names;
  std::unique_ptr<CertificateAuthorities> authorities = open_authorities(clock);
  std::uint16_t port = free_port();
  std::string user = "mosquitto";
  milliseconds look_every{200};
  milliseconds grace{30'000};
  std::unique_ptr<BrokerControl> control;
  std::unique_ptr<BrokerSupervisor> supervisor;
  std::thread supervisor_thread;

  ~Site() {
    control.reset();
    stop_supervisor();
  }

  std::unique_ptr<CertificateAuthorities> open_authorities(const Clock& at) const {
    return CertificateAuthorities::open({directory / "pki", "cp-host", names}, at).value();
  }
  Generations generations() const { return Generations(directory.path()); }

  void start_supervisor() {
    supervisor = BrokerSupervisor::create({directory.path(), "/usr/sbin/mosquitto", false}).value();
    supervisor_thread = std::thread([this] { supervisor->run(); });
  }
  void stop_supervisor() {
    if (!supervisor) return;
    supervisor->stop();
    supervisor_thread.join();
    supervisor.reset();
  }
  std::string ask(const std::string& request) const {
    return ask_supervisor(directory.path(), request, seconds(10)).value_or("no answer");
  }

  // As a start of the control plane, up to its thread.
  void open_control() {
    control.reset();
    BrokerControl::Options options;
    options.state_directory = directory.path();
    options.settings.port = port;
    options.settings.user = user;
    options.canary = AgentId::parse("cp-canary-agent").value();
    options.look_every = look_every;
    options.first_retry = milliseconds(200);
    options.last_retry = milliseconds(400);
    options.supervisor_grace = grace;
    control =
        BrokerControl::create(options, *authorities, store.agents, store.alerts, clock).value();
  }
  void start_control() {
    open_control();
    const auto prepared = control->prepare();
    REQUIRE_MESSAGE(prepared.has_value(), (prepared ? "" : prepared.error().message()));
    control->start();
  }
  void bring_up() {
    start_control();
    start_supervisor();
    REQUIRE(eventually([&] { return settled(); }));
  }
  bool settled() const {
    const auto current = generations().current();
    return current && is_up_with(ask("status"), *current) && generations().is_checked(*current);
  }
  std::string alert() {
    const auto open = store.alerts.open().value();
    for (const auto& alert : open)
      if (alert.kind == "broker.apply") return alert.message;
    return {};
  }

  // An agent with key and certificate, active in the registry.
  mqtt::Identity enroll(const std::string& name) {
    const auto id = AgentId::parse(name).value();
    const auto key = pki::load_or_create_key(directory / (name + ".key")).value();
    const auto made =
        authorities->issue_agent(pki::make_request(key, name).value(), id, 30 * kDayMs).value();
    if (!files::write_atomic(directory / (name + ".pem"), made.pem, 0600))
      throw std::runtime_error("certificate");
    model::AgentRecord agent;
    agent.id = id;
    agent.state = model::AgentState::kActive;
    agent.certificate_serial = made.serial;
    store.agents.put(agent);
    mqtt::Identity identity;
    identity.host = "localhost";
    identity.port = port;
    identity.client_id = name;
    identity.ca_file = directory / "pki/server-ca-g1.pem";
    identity.certificate_file = directory / (name + ".pem");
    identity.key_file = directory / (name + ".key");
    return identity;
  }
  void revoke(const std::string& name) {
    REQUIRE(store.agents.revoke(AgentId::parse(name).value(), "test", clock.unix_ms()));
  }
  Result<void> connect(mqtt::Identity identity) const {
    identity.port = port;
    PostedWork work;
    const auto client = mqtt::make_paho_client(work.post());
    std::optional<Result<void>> answer;
    client->connect(identity, [&](Result<void> r) { answer = std::move(r); });
    REQUIRE(work.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  bool refuses(const mqtt::Identity& identity) const {
    const auto answer = connect(identity);
    return !answer && answer.error().code() == Errc::kDenied;
  }
  // As if it had been applied.
  void run_checked(const BrokerSettings& settings, const BrokerFiles& files) const {
    const auto generation = generations().write(settings, files).value();
    REQUIRE(generations().activate(generation));
    REQUIRE(is_up_with(ask("restart"), generation));
    REQUIRE(generations().set_checked(generation));
  }
  // What the running generation was written from.
  std::string running_file(const char* name) const {
    const auto status = ask("status");
    return files::read(generations().root() + "/" + status.substr(status.rfind(' ') + 1) + "/" +
                       name)
        .value_or("");
  }
};

// Somebody else's broker on the port.
struct OccupiedPort {
  TestInstallation installation;
  std::unique_ptr<TestBroker> broker = installation.start_broker();
};

// Takes connections and says nothing, as a supervisor that waits for its broker.
struct SilentSupervisor {
  explicit SilentSupervisor(const std::string& state) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = state + "/broker/control.sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd, 64) != 0) {
      throw std::runtime_error("listen");
    }
  }
  ~SilentSupervisor() { ::close(fd); }
  int fd;
};

}  // namespace

TEST_CASE("a first start: prepared, started by the supervisor, checked live, no alert") {
  Site site;
  model::Alert old;
  old.kind = "broker.apply";
  old.message = "of an earlier run";
  REQUIRE(site.store.alerts.raise(old));
  site.bring_up();
  CHECK(eventually([&] { return site.alert().empty(); }));
  CHECK(site.connect(site.enroll("web-1")));
  // A second start finds everything in order and restarts nothing.
  const auto status = site.ask("status");
  site.start_control();
  REQUIRE(site.control->apply(seconds(10)));
  CHECK(site.ask("status") == status);
}

TEST_CASE("a halted broker heals by itself") {
  Site site;
  site.bring_up();
  const auto agent = site.enroll("web-1");
  SUBCASE("while the control plane runs") {
    REQUIRE(site.generations().set_halted("the live check failed: canaries late"));
    REQUIRE(site.ask("halt") == "halted");
  }
  SUBCASE("before the control plane starts") {
    site.control.reset();
    REQUIRE(site.generations().set_halted("the live check failed: canaries late"));
    REQUIRE(site.ask("halt") == "halted");
    site.start_control();
  }
  SUBCASE("halted, and both were started anew") {
    site.control.reset();
    REQUIRE(site.generations().set_halted("the live check failed: canaries late"));
    site.stop_supervisor();
    site.start_supervisor();
    site.start_control();
  }
  REQUIRE(eventually([&] { return site.settled(); }));
  CHECK(site.generations().halted().empty());
  CHECK(site.connect(agent));
  CHECK(eventually([&] { return site.alert().empty(); }));
}

TEST_CASE("while it cannot heal there is an alert; it goes with the reason") {
  Site site;
  site.bring_up();
  std::optional<OccupiedPort> other(std::in_place);
  site.control.reset();
  const auto good_port = site.port;
  site.port = other->installation.settings.port;
  SUBCASE("the port is somebody else's, then free") {
    site.start_control();
    REQUIRE(eventually([&] { return !site.alert().empty(); }));
    CHECK_MESSAGE(site.alert().find("Address already in use") != std::string::npos, site.alert());
    CHECK(eventually([&] { return site.ask("status").starts_with("halted "); }));
    other.reset();
  }
  SUBCASE("the port is somebody else's, then another one is set") {
    site.start_control();
    REQUIRE(eventually([&] { return !site.alert().empty(); }));
    site.port = good_port;
    site.start_control();
  }
  CHECK(eventually([&] { return site.settled() && site.alert().empty(); }));
  CHECK(site.connect(site.enroll("web-1")));
}

TEST_CASE("killed between the registry and the broker: the next start revokes at the broker") {
  Site site;
  site.bring_up();
  const auto bad = site.enroll("bad");
  const auto good = site.enroll("good");
  REQUIRE(site.connect(bad));
  site.control.reset();
  site.revoke("bad");
  CHECK(site.connect(bad));  // The broker knows nothing of it
  site.start_control();
  CHECK(eventually([&] { return site.settled() && site.refuses(bad); }));
  CHECK(site.connect(good));
}

TEST_CASE("killed between the swap and the restart: the next start restarts") {
  Site site;
  site.bring_up();
  const auto bad = site.enroll("bad");
  site.control.reset();
  site.revoke("bad");
  site.open_control();
  REQUIRE(site.control->prepare());  // Swaps; the supervisor is told nothing
  REQUIRE(!site.settled());
  REQUIRE(site.connect(bad));
  site.start_control();
  CHECK(eventually([&] { return site.settled() && site.refuses(bad); }));
}

TEST_CASE(
    "killed between the restart and the live check: the next start checks, without a restart") {
  Site site;
  site.bring_up();
  site.control.reset();
  REQUIRE(site.generations().clear_checked());
  const auto status = site.ask("status");
  site.start_control();
  CHECK(eventually([&] { return site.settled(); }));
  CHECK(site.ask("status") == status);
}

TEST_CASE("new public names: the running broker gets the reissued certificate") {
  Site site;
  site.bring_up();
  const auto before = site.running_file("server.pem");
  site.control.reset();
  site.names = {"observe.example.com"};
  site.authorities = site.open_authorities(site.clock);
  site.start_control();
  CHECK(eventually([&] { return site.settled() && site.running_file("server.pem") != before; }));
  CHECK(site.running_file("server.pem") ==
        files::read(site.authorities->certificate_path("broker")).value());
}

TEST_CASE("after a month without the control plane the lists are fresh again") {
  Site site;
  site.bring_up();
  const auto agent = site.enroll("web-1");
  site.control.reset();
  // What was written 40 days ago.
  const ShiftedClock then(-40 * kDayMs);
  BrokerSettings settings;
  settings.port = site.port;
  BrokerFiles old;
  old.ca_pem = site.running_file("ca.pem");
  old.acl = site.running_file("acl");
  old.certificate_pem = site.running_file("server.pem");
  old.key_pem = site.running_file("server.key");
  old.crl_pem = site.open_authorities(then)->revocation_lists({}).value();
  site.run_checked(settings, old);
  REQUIRE(site.refuses(agent));  // Mosquitto lets nobody in with an expired list
  site.start_control();
  CHECK(eventually([&] { return site.settled() && site.connect(agent).has_value(); }));
}

TEST_CASE("lists of a clock that was ahead are replaced") {
  Site site;
  site.bring_up();
  site.control.reset();
  const ShiftedClock ahead(20 * kDayMs);
  BrokerSettings settings;
  settings.port = site.port;
  BrokerFiles odd;
  odd.ca_pem = site.running_file("ca.pem");
  odd.acl = site.running_file("acl");
  odd.certificate_pem = site.running_file("server.pem");
  odd.key_pem = site.running_file("server.key");
  odd.crl_pem = site.open_authorities(ahead)->revocation_lists({}).value();
  site.run_checked(settings, odd);
  site.start_control();
  const auto ca = pki::parse_certificate(site.authorities->agent_ca_pem()).value();
  CHECK(eventually([&] {
    const auto list = pki::parse_revocation_list(site.running_file("crl.pem"), ca);
    return site.settled() && list && list->this_update_ms <= site.clock.unix_ms();
  }));
}

TEST_CASE("another port while the supervisor runs: the broker moves") {
  Site site;
  site.bring_up();
  const auto agent = site.enroll("web-1");
  site.port = free_port();
  site.start_control();
  CHECK(eventually([&] { return site.settled(); }));
  CHECK(site.connect(agent));
}

TEST_CASE(
    "a supervisor that starts later finds what was revoked meanwhile; that it is missing is an "
    "alert") {
  Site site;
  site.grace = milliseconds(0);
  site.bring_up();
  const auto bad = site.enroll("bad");
  site.stop_supervisor();
  REQUIRE(eventually([&] { return !site.alert().empty(); }));
  CHECK(site.alert().find("start it with `observeai-controlplane broker`") != std::string::npos);
  site.revoke("bad");
  const auto applied = site.control->apply(seconds(10));
  REQUIRE(!applied.has_value());
  CHECK(applied.error().code() == Errc::kUnavailable);
  site.start_supervisor();
  CHECK(eventually([&] { return site.settled() && site.alert().empty(); }));
  CHECK(site.refuses(bad));
}

TEST_CASE("many revocations at once share their restarts, and all are in force") {
  Site site;
  site.look_every = seconds(60);
  site.bring_up();
  constexpr int kAgents = 12;
  std::vector<mqtt::Identity> agents;
  for (int i = 0; i < kAgents; ++i) agents.push_back(site.enroll("agent-" + std::to_string(i)));
  const auto number = [&] {
    return std::stoi(site.generations().current().value().substr(site.generations().root().size() +
                                                                 std::string("/gen-").size()));
  };
  const int before = number();
  std::atomic<int> failed = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < kAgents; ++i) {
    callers.emplace_back([&, i] {
      ignore(
          site.store.agents.revoke(AgentId::parse("agent-" + std::to_string(i)).value(), "test", 1),
          "checked below");
      if (!site.control->apply(seconds(10))) ++failed;
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(failed == 0);
  REQUIRE(site.control->apply(seconds(10)));
  CHECK(number() - before <= 3);
  for (const auto& agent : agents) CHECK(site.refuses(agent));
}

TEST_CASE("a broker that hangs holds nobody for long, and only two at a time") {
  Site site;
  site.look_every = seconds(60);
  site.open_control();
  REQUIRE(site.control->prepare());
  const SilentSupervisor hangs(site.directory.path());
  site.control->start();
  const auto began = Steady::now();
  std::atomic<int> timeouts = 0;
  std::atomic<int> at_once = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto applied = site.control->apply(milliseconds(800));
      if (!applied && applied.error().code() == Errc::kTimeout) ++timeouts;
      if (applied && *applied == BrokerControl::Applied::kUnderWay) ++at_once;
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(Steady::now() - began < seconds(2));
  CHECK(timeouts == 2);
  CHECK(at_once == 6);
  CHECK(eventually([&] { return !site.alert().empty(); }));
  CHECK(site.alert().find("did not answer") != std::string::npos);
}

TEST_CASE("started by root, the broker is another user who can open no key but its own") {
  if (::geteuid() != 0) return;
  Site site;
  const auto online_keys = [] {
    return Result<OnlineKeys>(OnlineKeys{signing::SigningKeyPair::generate().public_key(),
                                         signing::SigningKeyPair::generate().public_key()});
  };
  REQUIRE(ensure_root(site.directory / "keys", TenantId::parse("default").value(), online_keys,
                      site.clock));
  site.bring_up();
  const auto agent = site.enroll("web-1");
  REQUIRE(site.connect(agent));
  const auto user = *find_broker_user("mosquitto").value();
  const std::string status = site.ask("status");
  const std::string pid = status.substr(3, status.find(' ', 3) - 3);
  CHECK(ids_of(pid, "Uid") == std::vector<std::uint64_t>(4, user.uid));
  CHECK(ids_of(pid, "Gid") == std::vector<std::uint64_t>(4, user.gid));
  CHECK(ids_of(pid, "Groups").empty());

  const std::filesystem::path generation(site.generations().current().value());
  CHECK(can_open(generation / "server.key", user));
  int others = 0;
  std::set<std::string> keys;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(site.directory.path())) {
    if (!entry.is_regular_file() || entry.path().parent_path() == generation) continue;
    if (entry.path().parent_path() == site.directory.path()) continue;  // Of this test's agents
    CAPTURE(entry.path().string());
    CHECK_FALSE(can_open(entry.path(), user));
    if (entry.path().extension() == ".key") keys.insert(entry.path().filename());
    ++others;
  }
  CHECK(others > 5);
  CHECK(keys.contains("sealing.key"));
  CHECK(keys.size() > 5);
}

TEST_CASE("a broker user who does not exist is named, and nothing is prepared") {
  if (::geteuid() != 0) return;
  Site site;
  site.user = "no-such-user";
  site.open_control();
  const auto prepared = site.control->prepare();
  REQUIRE(!prepared.has_value());
  CHECK(prepared.error().message().find("there is no user 'no-such-user'") != std::string::npos);
  CHECK(!site.generations().current());
}
