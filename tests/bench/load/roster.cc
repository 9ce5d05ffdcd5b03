#include "tests/bench/load/roster.h"

#include <cstring>

#include "controlplane/enroll/agent_naming.h"
#include "controlplane/enroll/certificate_authorities.h"
#include "controlplane/store/store.h"
#include "protocol/base/files.h"
#include "protocol/sql/packed.h"

namespace observeai::bench {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::size_t kMaxFileBytes = 256U << 20;

Result<std::array<std::uint8_t, 32>> key_from(const std::string& bytes) {
  std::array<std::uint8_t, 32> key{};
  if (bytes.size() != key.size()) return Error(Errc::kCorrupt, "a key of the roster is cut");
  std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}

template <class Bytes>
std::string text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<model::TokenRecord> make_token(controlplane::Store& store, std::size_t uses,
                                      std::int64_t now_ms) {
  model::TokenRecord token;
  token.id = "bench";
  token.secret_sha256 = signing::sha256_hex("nobody knows it");
  TRY(token.tenant, TenantId::parse("default"));
  token.uses_allowed = static_cast<std::uint32_t>(uses);
  token.created_ms = now_ms;
  token.expires_ms = now_ms + kDayMs;
  token.created_by = "bench";
  TRY_VOID(store.tokens().insert(token));
  return token;
}

}  // namespace

Result<void> enroll_agents(const std::string& state_dir, std::size_t count,
                           const std::string& file) {
  const SystemClock clock;
  TRY_VOID(files::make_directories(state_dir, 0700));
  controlplane::AuthorityOptions authority_options;
  authority_options.directory = state_dir + "/pki";
  authority_options.hostname = "localhost";
  TRY(const auto authorities, controlplane::CertificateAuthorities::open(authority_options, clock));
  controlplane::StoreOptions store_options;
  store_options.directory = state_dir + "/store";
  TRY(const auto store, controlplane::Store::open(store_options, clock));
  TRY(const auto token, make_token(*store, count, clock.unix_ms()));

  sql::Packer out;
  out.add(authorities->server_ca_pem());
  out.add(text_of(authorities->sealing_pair().public_key));
  for (std::size_t i = 0; i < count; ++i) {
    model::AgentRecord agent;
    agent.hostname = "bench-" + std::to_string(i);
    agent.id = controlplane::make_agent_id(agent.hostname);
    TRY(const auto key, pki::PrivateKey::generate());
    TRY(const auto request, pki::make_request(key, agent.id.value()));
    TRY(const auto certificate, authorities->issue_agent(request, agent.id, kDayMs));
    const auto sealing = signing::generate_key_agreement_pair();
    agent.tenant = token.tenant;
    agent.shard = controlplane::shard_of(agent.id);
    agent.state = model::AgentState::kActive;
    agent.machine_id_sha256 = signing::sha256_hex(agent.id.value());
    agent.token_id = token.id;
    agent.spki_sha256 = key.spki_sha256();
    agent.certificate_pem = certificate.pem;
    agent.certificate_serial = certificate.serial;
    agent.certificate_not_after_ms = certificate.not_after_ms;
    agent.sealing_public_key = sealing.public_key;
    agent.enrolled_ms = clock.unix_ms();
    TRY_VOID(store->tokens().consume(token.id, agent, clock.unix_ms()));
    TRY_VOID(store->agents().confirm(agent.id));
    out.add(agent.id.value());
    out.add(text_of(sealing.public_key));
    out.add(text_of(sealing.secret_key.bytes()));
    out.add(certificate.pem);
    out.add(key.to_pem());
  }
  return files::write_atomic(file, out.take(), 0600);
}

Result<Roster> load_roster(const std::string& file) {
  TRY(const auto bytes, files::read(file, kMaxFileBytes));
  TRY(const auto tenant, TenantId::parse("default"));
  sql::Unpacker in(bytes);
  Roster roster;
  TRY(roster.server_ca_pem, in.next());
  TRY(const auto public_text, in.next());
  TRY(const auto controlplane, key_from(public_text));
  while (!in.done()) {
    EnrolledAgent agent;
    TRY(const auto id, in.next());
    TRY(agent.address.agent, AgentId::parse(id));
    agent.address.tenant = tenant;
    agent.address.shard = controlplane::shard_of(agent.address.agent);
    TRY(const auto own_public, in.next());
    TRY(const auto own_secret, in.next());
    TRY(const auto public_key, key_from(own_public));
    TRY(const auto secret_key, key_from(own_secret));
    const signing::KeyAgreementPair pair{public_key, signing::SecretKey32(secret_key)};
    TRY(agent.keys, signing::agent_session_keys(pair, controlplane));
    agent.tls.client_id = id;
    TRY(agent.tls.certificate_pem, in.next());
    TRY(agent.tls.key_pem, in.next());
    roster.agents.push_back(std::move(agent));
  }
  return roster;
}

}  // namespace observeai::bench
