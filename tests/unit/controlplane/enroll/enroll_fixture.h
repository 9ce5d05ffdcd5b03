// A control plane for enrollment, whole but for HTTP and the store, and hosts that ask it.
#pragma once

#include <doctest/doctest.h>

#include "controlplane/enroll/certificate_authorities.h"
#include "controlplane/enroll/enrollment_service.h"
#include "protocol/base/clock.h"
#include "protocol/pki/enrollment_token.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/sealing.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

inline constexpr std::int64_t kDayMs = 86'400'000;
inline constexpr const char* kRemote = "192.0.2.7";

struct ControlPlane {
  explicit ControlPlane(controlplane::Rate rate = {1e6, 1e6}) {
    controlplane::EnrollmentOptions options;
    options.brokers = {{"cp.example.com", 8883}};
    options.newest_root = [this] { return roots.back(); };
    options.per_source = options.per_token = rate;
    service = std::make_unique<controlplane::EnrollmentService>(
        options, *authorities, store.agents, store.tokens, store.audit, store.alerts, clock);
  }

  pki::EnrollmentToken token(const controlplane::TokenScope& scope) {
    return pki::parse_token(service->create_token(scope, "user:admin")->text).value();
  }
  pki::EnrollmentToken token(std::uint32_t uses = 1) {
    controlplane::TokenScope scope;
    scope.tenant = TenantId::parse("acme").value();
    scope.uses = uses;
    return token(scope);
  }
  std::vector<std::string> audited(const std::string& action) {
    std::vector<std::string> details;
    const auto entries = store.audit.list(0, 100'000).value();
    for (const auto& entry : entries) {
      if (entry.action == action) details.push_back(entry.detail);
    }
    return details;
  }
  std::size_t alerts(const std::string& kind) {
    std::size_t count = 0;
    const auto open = store.alerts.open().value();
    for (const auto& alert : open) count += alert.kind == kind ? 1 : 0;
    return count;
  }

  TempDir dir;
  ManualClock clock;
  std::vector<std::string> roots{"root metadata, version 1"};
  MemoryRepositories store;
  std::unique_ptr<controlplane::CertificateAuthorities> authorities =
      controlplane::CertificateAuthorities::open({dir / "pki", "cp.example.com", {"10.0.0.5"}},
                                                 clock)
          .value();
  std::unique_ptr<controlplane::EnrollmentService> service;
};

// A host's side by hand, for requests that the real agent would never send.
struct Host {
  std::string name = "web-1";
  pki::PrivateKey key = pki::PrivateKey::generate().value();
  signing::KeyAgreementPair sealing = signing::generate_key_agreement_pair();
  signing::SigningKeyPair result = signing::SigningKeyPair::generate();
  std::string machine_id;
  pki::Certificate certificate;
  AgentId id;

  pki::EnrollRequest request(const pki::EnrollmentToken& token, std::int64_t now_ms) const {
    pki::EnrollRequest out;
    out.token_id = token.id;
    out.secret = token.secret;
    out.csr_pem = pki::make_request(key, "cp-ingest-0").value();
    out.hostname = name;
    out.machine_id_sha256 = machine_id;
    out.sealing_public_key = sealing.public_key;
    out.result_public_key = result.public_key().bytes;
    out.agent_version = "0.1.0";
    out.wall_time_ms = now_ms;
    return out;
  }

  Result<pki::EnrollResponse> enroll(ControlPlane& plane, const pki::EnrollmentToken& token) {
    auto response = plane.service->enroll(request(token, plane.clock.unix_ms()), kRemote);
    if (response) {
      certificate = pki::parse_certificate(response->certificate_pem).value();
      id = AgentId::parse(response->agent_id).value();
    }
    return response;
  }

  Result<pki::ConfirmResponse> confirm(ControlPlane& plane) const {
    const auto now = plane.clock.unix_ms();
    const auto signature = key.sign(pki::confirm_statement(id.value(), now)).value();
    return plane.service->confirm({id.value(), now, signature}, kRemote);
  }

  pki::RenewRequest renewal(const pki::PrivateKey& next, std::int64_t now_ms) const {
    pki::RenewRequest out;
    out.agent_id = id.value();
    out.certificate_pem = certificate.pem;
    out.csr_pem = pki::make_request(next, "ignored").value();
    out.timestamp_ms = now_ms;
    const auto der = pki::parse_request(out.csr_pem)->der;
    out.signature = key.sign(pki::renew_statement(id.value(), now_ms, der)).value();
    return out;
  }
  Result<pki::RenewResponse> renew(ControlPlane& plane, const pki::PrivateKey& next) const {
    return plane.service->renew(renewal(next, plane.clock.unix_ms()), kRemote);
  }
};

// An active agent.
inline Host enrolled(ControlPlane& plane, const std::string& name = "web-1") {
  Host host;
  host.name = name;
  REQUIRE(host.enroll(plane, plane.token()));
  REQUIRE(host.confirm(plane)->active);
  return host;
}

template <class T>
std::string why(const Result<T>& result) {
  return result ? "" : result.error().message();
}
inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace observeai::test
