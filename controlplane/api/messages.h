// What goes between the sockets and the handlers, and how a handler says no.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::controlplane::api {

class Follower;

struct Request {
  std::string method;
  std::string target;  // Path and query as sent
  std::string authorization;
  std::string last_event_id;
  std::string body;
  std::string remote_ip;  // Of the socket; no header is believed
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<Follower> follower;  // Set: `body` is empty and server-sent events follow
  // Of a stream: false once the key that opened it may not be used any more. May block on the store.
  std::function<bool()> may_go_on;
};

// One meaning of an ambiguous name.
struct Candidate {
  std::string agent_id;
  std::string hostname;
  std::string target;
  std::string name;
};

// An error as the caller sees it: what happened, with what, and what to do.
struct Problem {
  // Status from the code. `is_foreign`: the message was not written for callers.
  Problem(Error error);  // NOLINT(google-explicit-constructor)
  Problem(int problem_status, Errc problem_code, std::string problem_message,
          std::string problem_hint = "")
      : status(problem_status),
        code(problem_code),
        message(std::move(problem_message)),
        hint(std::move(problem_hint)) {}

  int status;
  Errc code;
  std::string message;
  std::string hint;
  std::string parameter;
  std::vector<Candidate> candidates;
  bool is_foreign = false;
};

// 400 that names the parameter or field at fault.
Problem bad_parameter(std::string name, const std::string& message, std::string hint = "");

// Result<T> with a Problem; an Error converts, so that TRY works across both.
template <class T>
class [[nodiscard]] Answer : public tl::expected<T, Problem> {
  using Base = tl::expected<T, Problem>;

 public:
  using Base::Base;
  Answer(Base base) : Base(std::move(base)) {}                                    // NOLINT
  Answer(Problem problem) : Base(tl::unexpected<Problem>(std::move(problem))) {}  // NOLINT
  Answer(Error error) : Answer(Problem(std::move(error))) {}                      // NOLINT
};

Reply problem_reply(const Problem& problem);

}  // namespace observeai::controlplane::api
