// GuardedApply with real brokers, real certificates and a supervisor.
#include <signal.h>

#include <unistd.h>

#include <doctest/doctest.h>

#include "controlplane/broker/guarded_apply.h"
#include "protocol/base/files.h"
#include "tests/integration/broker/supervised_site.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

namespace {

struct GuardedSite : SupervisedSite {
  CanaryIdentities canaries;
  bool crl_is_good = true;

  GuardedSite() {
    canaries.own_id = AgentId::parse("canary-1").value();
    canaries.good = as_canary(installation.agents.issue_client("canary-1"));
    const auto revoked = installation.agents.issue_client("canary-revoked");
    installation.agents.revoke(revoked);
    canaries.revoked = as_canary(revoked);
    canaries.foreign = as_canary(installation.stranger.issue_client("canary-1"));
    canaries.watcher = as_canary(installation.services.issue_client(kCanaryWatcher));
    canaries.server_ca_file = installation.services.certificate_file();
  }
  static CanaryIdentity as_canary(const CertificateFiles& files) {
    return {files.certificate, files.key};
  }

  GuardedApply guarded() {
    GuardedApply::Options options;
    options.state_directory = installation.directory.path();
    options.canaries = canaries;
    options.check_crl = [this](const std::string&) -> Result<void> {
      if (crl_is_good) return {};
      return Error(Errc::kInvalid, "revocation list ends in 3 hours");
    };
    return GuardedApply(std::move(options));
  }
  ApplyRequest request(const std::vector<AgentId>& revoked = {}) const {
    return {installation.settings, installation.files(revoked)};
  }
  void bring_up() {
    const auto prepared = guarded().prepare(request());
    REQUIRE_MESSAGE(prepared.has_value(), (prepared ? "" : prepared.error().message()));
    start();
    REQUIRE(ask("restart").starts_with("up "));
  }
};

struct Agent {
  Agent(const GuardedSite& site, const std::string& name, const CertificateFiles& files,
        PostedWork& posted)
      : identity(site.installation.identity(name, files)),
        work(posted),
        client(mqtt::make_paho_client(work.post())) {
    client->on_disconnected([this](const Error&) { lost_at = Steady::now(); });
  }
  Result<void> connect() {
    std::optional<Result<void>> answer;
    client->connect(identity, [&](Result<void> r) { answer = std::move(r); });
    REQUIRE(work.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  mqtt::Identity identity;
  PostedWork& work;
  std::unique_ptr<mqtt::BrokerClient> client;
  std::optional<Steady::time_point> lost_at;
};

long ms(Steady::duration d) {
  return static_cast<long>(std::chrono::duration_cast<milliseconds>(d).count());
}

}  // namespace

TEST_CASE("a revoked agent loses its session and is refused, others come back; in less than 4 s") {
  GuardedSite site;
  site.bring_up();
  PostedWork work;
  const auto bad_files = site.installation.agents.issue_client("bad");
  Agent bad(site, "bad", bad_files, work);
  Agent good(site, "good", site.installation.agents.issue_client("good"), work);
  REQUIRE(bad.connect());
  REQUIRE(good.connect());

  site.installation.agents.revoke(bad_files);
  const auto began = Steady::now();
  const auto report = site.guarded().apply(site.request({AgentId::parse("bad").value()}));
  const auto took = Steady::now() - began;
  REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message()));
  REQUIRE(work.run_until([&] { return bad.lost_at && good.lost_at; }));
  MESSAGE("apply " << ms(took) << " ms (scratch " << report->scratch.count() << ", restart "
                   << report->restart.count() << ", live " << report->live.count() << ")");
  CHECK(took < seconds(4));
  const auto refused = bad.connect();
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == Errc::kDenied);
  CHECK(good.connect());
  CHECK(site.generations().current().value() == report->generation);
}

TEST_CASE("the ACL alone silences a revoked agent whose certificate is still good") {
  GuardedSite site;
  site.bring_up();
  REQUIRE(site.guarded().apply(site.request({AgentId::parse("bad").value()})));
  PostedWork work;
  Agent bad(site, "bad", site.installation.agents.issue_client("bad"), work);
  Agent good(site, "good", site.installation.agents.issue_client("good"), work);
  Agent ingest(site, "cp-ingest-0", site.installation.services.issue_client("cp-ingest-0"), work);
  std::vector<std::string> seen;
  ingest.client->on_message([&](const mqtt::Message& m) { seen.push_back(m.topic); });
  REQUIRE(ingest.connect());
  std::optional<Result<void>> subscribed;
  ingest.client->subscribe({"observeai/v1/+/+/+/up/#"},
                           [&](Result<void> r) { subscribed = std::move(r); });
  REQUIRE(work.run_until([&] { return subscribed.has_value(); }));
  REQUIRE(bad.connect());
  REQUIRE(good.connect());
  bool bad_done = false;
  REQUIRE(bad.client->publish({"observeai/v1/home/0/bad/up/l0", "x"},
                              [&](const Result<void>&) { bad_done = true; }));
  REQUIRE(work.run_until([&] { return bad_done; }));
  REQUIRE(good.client->publish({"observeai/v1/home/0/good/up/l0", "x"}, nullptr));
  CHECK(work.run_until([&] { return !seen.empty(); }));
  CHECK(seen == std::vector<std::string>{"observeai/v1/home/0/good/up/l0"});
}

TEST_CASE("a bad candidate changes nothing: the running broker keeps its sessions") {
  GuardedSite site;
  site.bring_up();
  const int pid = site.broker_pid();
  const auto active = site.generations().current().value();
  PostedWork work;
  Agent agent(site, "agent-1", site.installation.agents.issue_client("agent-1"), work);
  REQUIRE(agent.connect());

  auto request = site.request();
  std::string words;
  SUBCASE("revocation list that the check refuses") {
    site.crl_is_good = false;
    words = "ends in 3 hours";
  }
  SUBCASE("garbage revocation list") {
    request.files.crl_pem = "-----BEGIN X509 CRL-----\nbm90IGEgbGlzdA==\n-----END X509 CRL-----\n";
    words = "did not start";
  }
  SUBCASE("no revocation list") {
    request.files.crl_pem.clear();
    words = "is not PEM";
  }
  SUBCASE("a list that does not have the revoked canary") {
    const TestCa fresh(site.installation.directory.path(), "fresh");
    request.files.ca_pem += fresh.certificate_pem();
    request.files.crl_pem += fresh.crl_pem();
    site.canaries.revoked =
        GuardedSite::as_canary(site.installation.agents.issue_client("not-revoked"));
    words = "lets the revoked canary in";
  }
  SUBCASE("no list for the agents' CA") {
    request.files.crl_pem = site.installation.services.crl_pem();
    words = "not let in";
  }
  SUBCASE("a CA too many") {
    request.files.ca_pem += site.installation.stranger.certificate_pem();
    request.files.crl_pem += site.installation.stranger.crl_pem();
    words = "lets the foreign canary in";
  }
  SUBCASE("garbage ACL") {
    request.files.acl = "\x01\x02 garbage\n";
    words = "did not start";
  }
  SUBCASE("empty ACL") {
    request.files.acl.clear();
    words = "ACL is empty";
  }
  SUBCASE("an ACL that lets agents write anywhere") {
    request.files.acl =
        "pattern readwrite observeai/v1/+/+/%u/#\npattern write observeai/v1/#\n"
        "user cp-canary\ntopic readwrite observeai/v1/canary/#\n";
    words = "publish as another agent";
  }
  SUBCASE("an ACL that lets agents read anything") {
    request.files.acl += "\npattern read observeai/v1/#\n";
    words = "shows an agent what is not its own";
  }
  SUBCASE("an ACL cut short") {
    request.files.acl = request.files.acl.substr(0, 70);
    words = "not delivered";
  }
  SUBCASE("no certificate") {
    request.files.certificate_pem.clear();
    words = "certificate is not PEM";
  }
  SUBCASE("certificate for another host") {
    const auto other = site.installation.services.issue_server("DNS:other.example");
    request.files.certificate_pem = files::read(other.certificate).value();
    request.files.key_pem = files::read(other.key).value();
    words = "another name";
  }
  const auto report = site.guarded().apply(request);
  REQUIRE(!report.has_value());
  CHECK_MESSAGE(report.error().message().find(words) != std::string::npos,
                report.error().message());
  CHECK(site.generations().current().value() == active);
  CHECK(site.broker_pid() == pid);
  CHECK(site.generations().halted().empty());
  work.run_for(milliseconds(100));
  CHECK(agent.client->connected());
  CHECK(!agent.lost_at);
}

TEST_CASE("a live check that fails stops the broker, and the next good apply brings it back") {
  GuardedSite site;
  site.bring_up();
  const int pid = site.broker_pid();
  // Good in the scratch broker, impossible live: the port belongs to somebody else.
  SupervisedSite other;
  other.activate(other.installation.files());
  other.start();
  REQUIRE(other.broker_pid() > 0);
  auto request = site.request();
  request.settings.port = other.installation.settings.port;
  const auto report = site.guarded().apply(request);
  REQUIRE(!report.has_value());
  CHECK_MESSAGE(report.error().message().find("Address already in use") != std::string::npos,
                report.error().message());
  CHECK(report.error().message().find("the broker is stopped") != std::string::npos);
  CHECK(::kill(pid, 0) != 0);
  CHECK(site.ask("status").starts_with("halted "));
  const auto good = site.guarded().apply(site.request());
  CHECK_MESSAGE(good.has_value(), (good ? "" : good.error().message()));
  CHECK(site.broker_pid() > 0);
}

TEST_CASE("without a supervisor nothing is changed") {
  GuardedSite site;
  const auto report = site.guarded().apply(site.request());
  REQUIRE(!report.has_value());
  CHECK(report.error().code() == Errc::kUnavailable);
  CHECK(!site.generations().current().has_value());
}

TEST_CASE("a port that the broker's own user may not open is refused before anything changes") {
  const auto first = files::read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 32);
  if (::geteuid() != 0 || (first && *first == "0\n")) return;
  GuardedSite site;
  site.bring_up();
  const auto before = site.generations().current().value();
  site.installation.settings.port =
      first ? static_cast<std::uint16_t>(std::stoi(*first) - 1) : 1023;
  const auto report = site.guarded().apply(site.request());
  REQUIRE(!report.has_value());
  CHECK(report.error().message().find("can be opened by root only") != std::string::npos);
  CHECK(is_up_with(site.ask("status"), before));
}
