// A host with the real enroller and renewer, and a network to a control plane that can fail.
#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "agent/enroll/enroller.h"
#include "agent/enroll/renewer.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "tests/unit/controlplane/enroll/enroll_fixture.h"

namespace observeai::test {

// What lies between host and control plane. `lose_request` and `lose_answer` name paths.
struct Network {
  explicit Network(ControlPlane& control_plane) : plane(control_plane) {}

  ControlPlane& plane;
  bool up = true;
  std::set<std::string> lose_request;
  std::set<std::string> lose_answer;
  std::function<void(const std::string& path, http::Response&)> tamper;
  std::vector<std::string> requests;  // "<path> <body>" of what reached the control plane
};

class FakeHttpClient final : public http::HttpClient {
 public:
  FakeHttpClient(http::Endpoint endpoint, Network& network)
      : endpoint_(std::move(endpoint)), network_(network) {}

  Result<http::Response> send(const http::Request& request) override {
    if (!network_.up) return Error(Errc::kUnavailable, "connection refused");
    const auto& key = network_.plane.authorities->https_spki_sha256();
    if (endpoint_.spki_sha256 != key) {
      return Error(Errc::kDenied,
                   "the server's key is " + key + ", expected " + endpoint_.spki_sha256);
    }
    if (network_.lose_request.count(request.path) != 0) return Error(Errc::kTimeout, "no answer");
    network_.requests.push_back(request.path + " " + request.body);
    auto response = answer(request);
    if (network_.tamper) network_.tamper(request.path, response);
    if (network_.lose_answer.count(request.path) != 0) return Error(Errc::kTimeout, "no answer");
    return response;
  }

  Result<http::Response> stream(const http::Request&,
                                const std::function<bool(const http::ServerSentEvent&)>&,
                                std::chrono::milliseconds) override {
    return Error(Errc::kUnavailable, "no streams here");
  }

 private:
  http::Response answer(const http::Request& request) {
    auto& service = *network_.plane.service;
    if (request.path == "/v1/health") {
      return {200, {}, "{\"time_ms\":" + std::to_string(network_.plane.clock.unix_ms()) + "}"};
    }
    if (request.path == "/v1/enroll") {
      return respond(service.enroll(pki::decode_enroll_request(request.body).value(), kRemote));
    }
    if (request.path == "/v1/enroll/confirm") {
      return respond(service.confirm(pki::decode_confirm_request(request.body).value(), kRemote));
    }
    if (request.path == "/v1/renew") {
      return respond(service.renew(pki::decode_renew_request(request.body).value(), kRemote));
    }
    return {404, {}, ""};
  }

  template <class T>
  static http::Response respond(const Result<T>& result) {
    if (result) return {200, {}, pki::encode(*result)};
    int status = 503;
    if (result.error().code() == Errc::kInvalid) status = 400;
    if (result.error().code() == Errc::kDenied) status = 403;
    if (result.error().code() == Errc::kLimit) status = 429;
    return {status, {}, pki::encode_error(result.error())};
  }

  const http::Endpoint endpoint_;
  Network& network_;
};

struct TestHost {
  explicit TestHost(ControlPlane& plane) : network(plane) {
    options.server_host = "cp.example.com";
    options.server_port = 8443;
    options.token.file = dir / "enroll.token";
    options.hostname = "web-1";
    options.machine_id_sha256 = std::string(64, 'c');
    options.agent_version = "0.1.0";
  }

  agent::HttpClientFactory connect() {
    return [this](const http::Endpoint& endpoint) {
      return std::make_unique<FakeHttpClient>(endpoint, network);
    };
  }
  agent::EnrollReport run(std::function<void(const agent::Step&)> on_step = {}) {
    agent::Enroller enroller(options, store, connect(), clock, std::move(on_step));
    return enroller.run();
  }
  agent::EnrollReport run_with(const pki::EnrollmentToken& token) {
    options.token.argument = pki::format_token(token);
    return run();
  }
  Result<agent::Identity> renew() {
    TRY(const auto identity, store.load());
    agent::Renewer renewer(store, connect(), clock);
    return renewer.renew(identity);
  }
  // Both clocks: the host's and the control plane's.
  void pass(std::chrono::nanoseconds time) {
    clock.advance(time);
    network.plane.clock.advance(time);
  }
  std::size_t sent(const std::string& path) const {
    std::size_t count = 0;
    for (const auto& request : network.requests) count += request.starts_with(path + " ") ? 1 : 0;
    return count;
  }

  TempDir dir;
  ManualClock clock;
  Network network;
  agent::EnrollOptions options;
  agent::IdentityStore store{dir / "identity"};
};

// While it lives, writing `path` fails: its temporary file is in the way.
class BlockedFile {
 public:
  explicit BlockedFile(const std::string& path)
      : obstacle_(path + ".new." + std::to_string(::getpid())) {
    std::filesystem::create_directories(obstacle_);
  }
  ~BlockedFile() {
    std::error_code error;
    std::filesystem::remove(obstacle_, error);
  }

 private:
  std::string obstacle_;
};

inline const agent::Step& failed_step(const agent::EnrollReport& report) {
  for (const auto& step : report.steps) {
    if (step.state == agent::StepState::kFailed) return step;
  }
  static const agent::Step none;
  return none;
}

// Exactly one agent, active, and this host is it.
inline void check_one_agent(TestHost& host) {
  const auto rows = host.network.plane.store.agents.list(TenantId()).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].state == model::AgentState::kActive);
  const auto identity = host.store.load();
  REQUIRE_MESSAGE(identity, why(identity));
  CHECK(identity->agent == rows[0].id);
  CHECK(identity->certificate.serial == rows[0].certificate_serial);
  CHECK(identity->sealing.public_key == rows[0].sealing_public_key);
  CHECK(identity->result_key->public_key().bytes == rows[0].result_public_key);
  CHECK(identity->confirmed);
  CHECK_FALSE(files::exists(host.store.folder() + "/next"));
}

}  // namespace observeai::test
