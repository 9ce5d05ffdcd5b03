// Which requests the gateway passes on: exactly those that agent/discovery makes. Pure functions over
// bytes of an agent that may be in somebody else's hands.
//
//   GET [/v1.NN]/_ping · /version · /containers/json[?all=1] · /containers/<64 hex digits>/json ·
//       /events?filters={"type":["container"],"event":[...]}[&since=N[.N]]
//
// Nothing of the request's own bytes goes on: the engine gets a request that is written anew from what was
// understood, so no two readers can understand it in two ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxRequestHead = 8U << 10;

enum class AnswerKind : std::uint8_t {
  kPlain = 1,      // Passed on as it comes, within a deadline
  kContainer = 2,  // Only some of its fields are passed on: reduced_container()
  kStream = 3,     // Passed on as it comes, without end
};

struct GatewayRequest {
  AnswerKind kind = AnswerKind::kPlain;
  std::string target;  // For the engine
};

struct GatewayVerdict {
  std::optional<GatewayRequest> request;  // Or:
  unsigned status = 0;                    // 400, 403, 431
  std::string refusal;                    // For people
};

// nullopt: the head is not complete. Bytes behind the head are refused.
std::optional<GatewayVerdict> judge_request(std::string_view bytes);

// "HTTP/1.1 403 ..." with `why` as an error of the engine's form.
std::string refusal_answer(unsigned status, std::string_view why);

// What discovery reads of GET /containers/<id>/json; no environment, no arguments of health checks, no
// options of log drivers and mounts, where passwords are found. kCorrupt.
Result<std::string> reduced_container(std::string_view json);

// A whole answer of the engine (HTTP/1.0, so without chunks) to a kContainer request -> the agent's.
std::string container_answer(std::string_view engine_answer);

}  // namespace observeai::agent::executor
