// The signer without its socket: holds the keys, checks, remembers, signs. What it must not forget is on
// disk before a signature leaves: killed at any moment it never signs a sequence or an audit number twice,
// and never again for an agent that is shut out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "controlplane/signer/approvals.h"
#include "controlplane/signer/clock_watch.h"
#include "controlplane/signer/command_rules.h"
#include "controlplane/signer/command_signer.h"
#include "controlplane/signer/frames.h"
#include "controlplane/signer/rates.h"
#include "controlplane/signer/refusal_log.h"
#include "controlplane/signer/root_chain.h"
#include "controlplane/signer/signer_state.h"
#include "controlplane/signer/signer_status.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::signer {

struct SigningKeys {
  signing::SigningKeyPair signer;
  signing::SigningKeyPair audit;
};

struct SigningLimits {
  std::int64_t max_lifetime_ms = 3'600'000;
  RateLimit commands_of_tenant{20'000, 100'000};
  RateLimit commands_of_agent{60, 600};
  RateLimit times_of_agent{20, 200};
  RateLimit times_of_all{20'000, 200'000};  // Together: agents can be made up
  // That anything was ever signed for, and as many that are shut out: far above one control plane's
  // hosts, far below what fills the memory.
  std::size_t max_agents = 200'000;
};

// Between two signed heads. One that is far ahead would be the last one ever: none goes back.
inline constexpr std::uint64_t kMaxHeadStep = 1'000'000;

// Thread-safe; one call at a time.
class SigningService final : public CommandSigner {
 public:
  // `roots_directory` keeps the chain that was told. The first root is believed when it names our key
  // and, with `root_sha256` (64 hex digits), when that is its hash. `boot_ms` is a clock that nobody sets and
  // that counts sleep. Everything must outlive it.
  using BootClock = std::function<std::int64_t()>;
  static Result<std::unique_ptr<SigningService>> open(SigningKeys keys, SignerState& state,
                                                      const std::string& roots_directory,
                                                      std::string root_sha256,
                                                      const SigningLimits& limits,
                                                      const Clock& clock, BootClock boot_ms);

  Result<std::vector<Outcome>> sign_commands(std::span<const std::string> commands) override;
  // Its own clock, whatever unix_ms says. kDenied "clock" after that one has jumped: clock_watch.h.
  Result<std::string> sign_time(const wire::TimeStatement& time) override;
  // A number above the last by kMaxHeadStep at most, or the last with the same hash. The time is its own
  // clock's.
  Result<std::string> sign_audit_head(const wire::AuditHead& head) override;
  Result<void> take_roots(std::span<const std::string> roots) override;
  Result<void> revoke_agent(const AgentId& agent) override;

  SignerStatus status() const;

 private:
  SigningService(SigningKeys keys, SignerState& state, std::string roots_directory,
                 std::string root_sha256, const SigningLimits& limits, const Clock& clock,
                 BootClock boot_ms);

  // `staged`: what of a batch of requests is admitted and not on disk yet.
  Result<void> admit(const std::string& bytes, Advance& staged) REQUIRES(mutex_);
  Result<void> check_memory(const OpenedCommand& opened, const Advance& staged) REQUIRES(mutex_);
  Result<void> check_leaf(const OpenedCommand& opened, const Advance& staged) REQUIRES(mutex_);
  Result<void> keep(const Advance& staged) REQUIRES(mutex_);
  Result<void> restore_rates() REQUIRES(mutex_);
  Result<void> may_sign() const REQUIRES(mutex_);
  void root_changed() REQUIRES(mutex_);
  Result<void> begin_chain(const std::string& envelope) REQUIRES(mutex_);
  Error counted(Error error) REQUIRES(mutex_);
  void log_refusals(const std::vector<Outcome>& outcomes) REQUIRES(mutex_);

  const SigningKeys keys_;
  const std::string roots_directory_;
  const std::string root_sha256_;
  const Clock& clock_;
  const BootClock boot_ms_;
  const CommandRules rules_;
  const std::size_t max_agents_;
  mutable Mutex mutex_;
  SignerState& state_ GUARDED_BY(mutex_);
  std::unique_ptr<RootChain> chain_ GUARDED_BY(mutex_);
  signing::RootMetadata root_ GUARDED_BY(mutex_);  // The newest; version 0: none
  Approvals approvals_ GUARDED_BY(mutex_);
  ClockWatch watch_ GUARDED_BY(mutex_);
  SteadyTime forgotten_ GUARDED_BY(mutex_){};
  RateGuard tenants_ GUARDED_BY(mutex_);
  RateGuard agents_ GUARDED_BY(mutex_);
  RateGuard times_ GUARDED_BY(mutex_);
  RateGuard all_times_ GUARDED_BY(mutex_);
  RefusalLog refusals_ GUARDED_BY(mutex_);
  std::uint64_t signed_commands_ GUARDED_BY(mutex_) = 0;
  std::uint64_t signed_times_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::uint64_t> refused_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::signer
