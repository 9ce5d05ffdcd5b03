// A signer on a folder, with a clock that stands still; reborn on the same folder when asked.
#pragma once

#include <functional>

#include "controlplane/signer/refusal.h"
#include "controlplane/signer/signing_service.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/batch_fixture.h"

namespace observeai::test {

struct Signer {
  explicit Signer(bool with_root = true) {
    start();
    if (with_root) REQUIRE(service->take_roots(std::vector{acme.signed_root(acme.root())}));
  }
  void start() {
    service.reset();
    state.reset();
    state = controlplane::signer::SignerState::open(dir / "signer.db").value();
    service =
        controlplane::signer::SigningService::open({acme.signer, acme.audit}, *state, dir / "roots",
                                                   pin, limits, clock, [this] { return boot_ms(); })
            .value();
  }
  std::int64_t boot_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               clock.steady_now().time_since_epoch())
        .count();
  }
  // The word of the refusal of the only command, "" when it was signed.
  std::string outcome(const std::string& bytes) {
    const auto outcomes = service->sign_commands(std::vector{bytes}).value();
    REQUIRE(outcomes.size() == 1);
    if (outcomes[0]) return "";
    INFO(outcomes[0].error().message());
    return std::string(controlplane::signer::word_of(outcomes[0].error().message()));
  }
  std::string outcome(const wire::Command& command) {
    return outcome(wire::encode_command(command).value());
  }

  TempDir dir;
  ManualClock clock;
  Organisation acme;
  controlplane::signer::SigningLimits limits;
  std::string pin;
  std::unique_ptr<controlplane::signer::SignerState> state;
  std::unique_ptr<controlplane::signer::SigningService> service;
};

}  // namespace observeai::test
