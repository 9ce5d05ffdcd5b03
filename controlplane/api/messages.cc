#include "controlplane/api/messages.h"

#include <boost/json.hpp>

#include "controlplane/api/to_json.h"

namespace observeai::controlplane::api {
namespace {

int status_of(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return 400;
    case Errc::kNotFound:
      return 404;
    case Errc::kUnavailable:
      return 503;
    case Errc::kTimeout:
      return 504;
    case Errc::kCorrupt:
      return 500;
    case Errc::kDenied:
      return 403;
    case Errc::kLimit:
      return 429;
    case Errc::kInternal:
      return 500;
  }
  return 500;
}

}  // namespace

Problem::Problem(Error error) : Problem(status_of(error.code()), error.code(), error.message()) {
  is_foreign = true;
  if (code == Errc::kUnavailable || code == Errc::kTimeout) hint = "try again in a moment";
}

Problem bad_parameter(std::string name, const std::string& message, std::string hint) {
  Problem problem(400, Errc::kInvalid, name + " " + message, std::move(hint));
  problem.parameter = std::move(name);
  return problem;
}

Reply problem_reply(const Problem& problem) {
  boost::json::object error;
  error["code"] = to_string(problem.code);
  error["message"] = problem.message;
  error["hint"] = problem.hint;
  if (!problem.parameter.empty()) error["parameter"] = problem.parameter;
  if (!problem.candidates.empty()) {
    boost::json::array candidates;
    for (const auto& candidate : problem.candidates) {
      candidates.push_back({{"agent_id", candidate.agent_id},
                            {"hostname", candidate.hostname},
                            {"target", candidate.target},
                            {"name", candidate.name}});
    }
    error["candidates"] = std::move(candidates);
  }
  Reply reply = json_reply(boost::json::object{{"error", std::move(error)}}, problem.status);
  if (problem.status == 401) reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (problem.status == 429) reply.headers.emplace_back("Retry-After", "60");
  return reply;
}

}  // namespace observeai::controlplane::api
