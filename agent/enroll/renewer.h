// Keeps the certificate alive: a new key and certificate at half-life, and after a long absence too.
#pragma once

#include <cstdint>

#include "agent/enroll/control_plane_client.h"
#include "agent/enroll/identity.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// When `certificate` of `agent` is to be renewed: half its life, up to 10 % of that earlier or later.
// Always the same for one agent, so that a fleet enrolled in one minute does not renew in one minute.
std::int64_t renewal_due_ms(const pki::Certificate& certificate, const AgentId& agent);

// Blocking, for a worker thread; one call at a time. The caller decides how often to try again
// (Backoff) and reconnects to the broker with the identity that comes back.
class Renewer {
 public:
  // Everything must outlive it.
  Renewer(IdentityStore& store, HttpClientFactory connect, const Clock& clock)
      : store_(store), connect_(std::move(connect)), clock_(clock) {}

  bool is_due(const Identity& identity) const;

  // Renews and stores; the answer is in use from then on. A failure or a crash at any point leaves a
  // key and certificate that belong together, and the next call repeats the same renewal. kDenied: the
  // control plane will not have this host any more (revoked, unknown, expired too long ago, or another
  // machine renewed in its name); trying again is of no use. Works on an expired certificate.
  Result<Identity> renew(const Identity& current);

 private:
  IdentityStore& store_;
  const HttpClientFactory connect_;
  const Clock& clock_;
};

}  // namespace observeai::agent
