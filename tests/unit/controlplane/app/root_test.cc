// The quick start's root, and what keeps the signer in step.
#include <doctest/doctest.h>

#include "controlplane/app/root_keys.h"
#include "controlplane/app/signer_link.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"
#include "protocol/signing/key_files.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/trust_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

const TenantId kTenant = TenantId::parse("default").value();

class FakeSigner final : public CommandSigner {
 public:
  Result<std::vector<Result<std::string>>> sign_commands(std::span<const std::string>) override {
    return Error(Errc::kInternal, "not asked here");
  }
  Result<std::string> sign_time(const wire::TimeStatement&) override { return std::string(); }
  Result<std::string> sign_audit_head(const wire::AuditHead&) override { return std::string(); }
  Result<void> take_roots(std::span<const std::string> envelopes) override {
    if (away) return Error(Errc::kUnavailable, "no signer answers");
    roots.insert(roots.end(), envelopes.begin(), envelopes.end());
    return {};
  }
  Result<void> revoke_agent(const AgentId& agent) override {
    if (away) return Error(Errc::kUnavailable, "no signer answers");
    revoked.push_back(agent.value());
    return {};
  }

  bool away = false;
  std::vector<std::string> roots;
  std::vector<std::string> revoked;
};

struct World {
  TempDir dir;
  ManualClock clock;
  Organisation acme;
  MemoryRepositories store;
  FakeSigner signer;

  AskOnlineKeys ask() {
    return [this]() -> Result<OnlineKeys> {
      if (signer.away) return Error(Errc::kUnavailable, "no signer answers");
      return OnlineKeys{acme.signer.public_key(), acme.audit.public_key()};
    };
  }
  // Nothing of it ends soon.
  signing::RootMetadata long_root(std::uint64_t version = 1) const {
    auto root = acme.root(version);
    root.signers[0].delegation.not_after_ms = root.expires_ms;
    return root;
  }
  std::vector<std::string> alerts() {
    std::vector<std::string> out;
    const auto open = store.alerts.open().value();
    for (const auto& alert : open) out.push_back(alert.kind + " " + alert.object);
    return out;
  }
};

}  // namespace

TEST_CASE("a quick start's root names the signer's keys and every action, and stays as it is") {
  World world;
  world.signer.away = true;
  CHECK(ensure_root(world.dir / "keys", kTenant, world.ask(), world.clock).error().code() ==
        Errc::kUnavailable);
  world.signer.away = false;
  const auto chain = ensure_root(world.dir / "keys", kTenant, world.ask(), world.clock).value();
  const auto root = chain->newest();
  CHECK(root.version == 1);
  CHECK(root.audit_key == world.acme.audit.public_key());
  REQUIRE(root.signers.size() == 1);
  CHECK(root.signers[0].key == world.acme.signer.public_key());
  for (const auto& action : actions::catalogue()) {
    CHECK(signing::check_delegation(root.signers[0].delegation, kTenant, std::string(action.name),
                                    kQuickStartTargets, world.clock.unix_ms()));
  }
  world.signer.away = true;  // Not needed any more
  const auto again = ensure_root(world.dir / "keys", kTenant, world.ask(), world.clock).value();
  CHECK(again->envelopes_after(0) == chain->envelopes_after(0));
}

TEST_CASE("a quick start of before there were actions is widened, an organisation's root never") {
  World world;
  const std::string folder = world.dir / "keys";
  auto narrow = world.acme.root();
  narrow.signers[0].delegation.actions.clear();
  REQUIRE(RootChain::begin(folder, world.acme.signed_root(narrow)));
  REQUIRE(signing::save_signing_key(folder + "/root.key", world.acme.roots[0]));
  CHECK(ensure_root(folder, kTenant, world.ask(), world.clock).value()->newest().version == 1);

  const std::string quick = world.dir / "quick";
  narrow.root_keys = {world.acme.roots[0].public_key()};
  narrow.root_threshold = 1;
  REQUIRE(RootChain::begin(quick, sign_root(narrow, {world.acme.roots[0]})));
  REQUIRE(signing::save_signing_key(quick + "/root.key", world.acme.roots[0]));
  const auto widened = ensure_root(quick, kTenant, world.ask(), world.clock).value();
  CHECK(widened->newest().version == 2);
  CHECK(widened->newest().signers[0].delegation.max_targets == kQuickStartTargets);
  CHECK(ensure_root(quick, kTenant, world.ask(), world.clock).value()->newest().version == 2);
}

TEST_CASE("the signer is told each root and each revoked agent, and again after it was away") {
  World world;
  const auto chain =
      RootChain::begin(world.dir / "keys", world.acme.signed_root(world.long_root())).value();
  SignerLink link(world.signer, *chain, world.store.agents, world.store.alerts, world.clock);
  link.look();
  CHECK(world.signer.roots.size() == 1);
  link.look();
  CHECK(world.signer.roots.size() == 1);
  REQUIRE(chain->take({world.acme.signed_root(world.long_root(2))}));
  model::AgentRecord agent;
  agent.id = AgentId::parse("web-1").value();
  agent.tenant = kTenant;
  agent.state = model::AgentState::kRevoked;
  world.store.agents.put(agent);
  link.look();
  link.look();
  CHECK(world.signer.roots.size() == 2);
  CHECK(world.signer.revoked == std::vector<std::string>{"web-1"});
  CHECK(world.alerts().empty());

  world.signer.away = true;
  link.look();
  link.look();
  CHECK(world.alerts() == std::vector<std::string>{"signer.unreachable "});
  CHECK(world.store.alerts.open().value()[0].count == 1);
  world.signer.away = false;
  world.signer.roots.clear();
  world.signer.revoked.clear();
  link.look();
  CHECK(world.alerts().empty());
  CHECK(world.signer.roots.size() == 2);  // Whoever came back
  CHECK(world.signer.revoked.size() == 1);
}

TEST_CASE("an end that comes near is told 60, 30 and 7 days before, once for each stage") {
  World world;
  const auto chain =
      RootChain::begin(world.dir / "keys", world.acme.signed_root(world.acme.root())).value();
  SignerLink link(world.signer, *chain, world.store.agents, world.store.alerts, world.clock);
  const auto days = [&](int count) { world.clock.jump_wall(std::chrono::hours(24 * count)); };
  // Root: in 90 days; delegation: in 30.
  world.clock.jump_wall(std::chrono::milliseconds(-1));
  CHECK(root_warning(chain->newest(), world.clock.unix_ms()) == "");
  CHECK(delegation_warning(chain->newest(), world.clock.unix_ms()) == "");
  world.clock.jump_wall(std::chrono::milliseconds(1));
  CHECK(delegation_warning(chain->newest(), world.clock.unix_ms()).find("within 30 days") !=
        std::string::npos);
  link.look();
  CHECK(world.alerts() == std::vector<std::string>{"root.expires delegation"});
  days(30);
  link.look();
  link.look();
  CHECK(world.alerts().size() == 2);
  CHECK(root_warning(chain->newest(), world.clock.unix_ms()).find("within 60 days") !=
        std::string::npos);
  CHECK(delegation_warning(chain->newest(), world.clock.unix_ms()).find("is over") !=
        std::string::npos);
  days(53);
  CHECK(root_warning(chain->newest(), world.clock.unix_ms()).find("within 7 days") !=
        std::string::npos);
  days(7);
  CHECK(root_warning(chain->newest(), world.clock.unix_ms()).find("is over") != std::string::npos);
  auto next = world.acme.root(2);
  next.expires_ms = world.clock.unix_ms() + 400 * kDayMs;
  next.signers[0].delegation.not_after_ms = next.expires_ms;
  REQUIRE(chain->take({world.acme.signed_root(next)}));
  link.look();
  CHECK(world.alerts().empty());
}
