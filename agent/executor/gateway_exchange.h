// One request of the agent through the gateway, from its first byte to its last.
//
//   reading --judged--> passing on --engine hangs up--> finishing --all sent--> over
//      |                    |  (kContainer: the answer is held, reduced, then finishing)
//      +----- refused ------+-----------------------------------------^
#pragma once

#include <poll.h>

#include <string>

#include "agent/executor/gateway.h"
#include "agent/executor/gateway_request.h"

namespace observeai::agent::executor {

class GatewayExchange {
 public:
  GatewayExchange(UniqueFd client, const Clock& clock, const GatewayOptions& options);

  // What to wait for; an fd of -1 is ignored by poll().
  pollfd client_interest() const;
  pollfd engine_interest() const;
  SteadyTime deadline() const { return deadline_; }
  // Bytes of an inspection that wait for their end.
  std::size_t held() const { return phase_ == Phase::kPassingOn ? held_.size() : 0; }

  // After a poll with these results. `may_hold`: more bytes of held answers, for all exchanges together.
  // False: it is over.
  bool turn(short client_events, short engine_events, std::size_t may_hold);

 private:
  enum class Phase { kReading, kPassingOn, kFinishing };
  bool read_request();
  void pass_on(const GatewayRequest& request);
  bool read_answer(std::size_t may_hold);
  bool send_to_engine();
  bool send_to_client();
  void refuse(unsigned status, std::string_view why);

  UniqueFd client_;
  UniqueFd engine_;
  const Clock& clock_;
  const GatewayOptions& options_;
  Phase phase_ = Phase::kReading;
  AnswerKind kind_ = AnswerKind::kPlain;
  std::string head_;  // Of the request
  std::string to_engine_;
  std::string to_client_;
  std::string held_;  // Of a kContainer answer
  SteadyTime deadline_;
};

}  // namespace observeai::agent::executor
