// Drives the uplink from the loop and keeps the certificate alive.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "agent/enroll/enroller.h"
#include "agent/enroll/renewer.h"
#include "agent/runtime/blocking_pool.h"
#include "agent/uplink/uplink.h"

namespace observeai::agent {

// Uplink::tick() for ever; spawn it once.
boost::asio::awaitable<void> tick_uplink(AsyncClock& clock, Uplink& uplink);

// Loop thread only. Everything given must outlive it.
class RenewalLoop {
 public:
  // `on_renewed` hears of a new identity: reconnect with it.
  RenewalLoop(AsyncClock& clock, BlockingPool& pool, IdentityStore store, Identity identity,
              std::function<void(const Identity&)> on_renewed);
  boost::asio::awaitable<void> run();

 private:
  static constexpr std::chrono::minutes kLookEvery{10};
  static constexpr std::chrono::seconds kPatience{90};

  boost::asio::awaitable<void> renew();

  AsyncClock& clock_;
  BlockingPool& pool_;
  std::shared_ptr<IdentityStore> store_;  // Shared with a call that may hang
  Identity identity_;
  const std::function<void(const Identity&)> on_renewed_;
};

}  // namespace observeai::agent
