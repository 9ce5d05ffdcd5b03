#include "agent/app/uplink_loop.h"

#include "protocol/base/log.h"

namespace observeai::agent {
namespace {

constexpr std::chrono::milliseconds kTick(200);

}  // namespace

boost::asio::awaitable<void> tick_uplink(AsyncClock& clock, Uplink& uplink) {
  uplink.start();
  for (;;) {
    uplink.tick();
    co_await clock.sleep_for(kTick);
  }
}

RenewalLoop::RenewalLoop(AsyncClock& clock, BlockingPool& pool, IdentityStore store,
                         Identity identity, std::function<void(const Identity&)> on_renewed)
    : clock_(clock),
      pool_(pool),
      store_(std::make_shared<IdentityStore>(std::move(store))),
      identity_(std::move(identity)),
      on_renewed_(std::move(on_renewed)) {}

boost::asio::awaitable<void> RenewalLoop::run() {
  for (;;) {
    const Renewer renewer(*store_, http::make_https_client, clock_);
    if (renewer.is_due(identity_)) co_await renew();
    co_await clock_.sleep_for(kLookEvery);
  }
}

boost::asio::awaitable<void> RenewalLoop::renew() {
  std::function<Result<Identity>()> work = [store = store_, identity = identity_] {
    const SystemClock clock;
    return Renewer(*store, http::make_https_client, clock).renew(identity);
  };
  auto renewed = co_await pool_.run<Identity>("renewal", kPatience, std::move(work));
  if (!renewed) {
    const bool final = renewed.error().code() == Errc::kDenied;
    (final ? log::error : log::warning)(
        (final ? "the control plane will not have this host any more; enroll it anew: "
               : "the certificate could not be renewed, trying again later: ") +
        renewed.error().message());
    co_return;
  }
  identity_ = std::move(*renewed);
  log::info("the certificate was renewed");
  on_renewed_(identity_);
}

}  // namespace observeai::agent
