#include "controlplane/api/api.h"

#include <exception>

#include "controlplane/api/route_table.h"
#include "controlplane/auth/roles.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::string_view kBearer = "Bearer ";

std::pair<std::string_view, std::string_view> split_target(std::string_view target) {
  const auto question = target.find('?');
  return {target.substr(0, question),
          question == std::string_view::npos ? std::string_view() : target.substr(question + 1)};
}

Answer<Identity> identify(AccessService& access, const Request& request, model::Role needs) {
  const std::string_view header = request.authorization;
  const bool bearer =
      header.size() > kBearer.size() &&
      std::equal(kBearer.begin(), kBearer.end(), header.begin(), [](char a, char b) {
        return a == b || (a >= 'A' && a <= 'Z' && b == a - 'A' + 'a');
      });
  if (!bearer) {
    return Problem(401, Errc::kDenied, "this needs an API key",
                   "send the header Authorization: Bearer oak1_…; `observeai login` gets a key");
  }
  const auto identity = access.authenticate(header.substr(kBearer.size()), request.remote_ip);
  if (!identity) {
    const auto code = identity.error().code();
    if (code == Errc::kDenied) {
      return Problem(401, Errc::kDenied, identity.error().message(),
                     "log in again: `observeai login`");
    }
    if (code == Errc::kLimit)
      return Problem(429, code, identity.error().message(), "wait a minute");
    return Problem(identity.error());
  }
  if (!allows(identity->role, needs)) {
    return Problem(403, Errc::kDenied,
                   "this needs the role " + std::string(to_string(needs)) + "; the key of " +
                       identity->user + " has " + std::string(to_string(identity->role)),
                   "ask an admin for a key with that role");
  }
  return *identity;
}

// A client that sees only "500" can still be helped: the number stands in our log.
Problem inside_problem(std::string_view what) {
  log::error("a request failed: " + log::printable(what, 500));
  return {500, Errc::kInternal, "something went wrong inside the control plane",
          "its log says more"};
}

// "/var/lib/observeai/state.db: disk I/O error", also with a relative path.
bool names_a_file(std::string_view message) {
  if (message.find(".db") != std::string_view::npos) return true;
  for (auto at = message.find('/'); at != std::string_view::npos; at = message.find('/', at + 1)) {
    const bool begins =
        at == 0 || std::string_view(" \"'(:").find(message[at - 1]) != std::string_view::npos;
    if (begins && at + 1 < message.size() && message[at + 1] != ' ') return true;
  }
  return false;
}

// Errors of our own stores name files and statements: these belong in the log, whatever their code.
Problem for_client(const Problem& problem) {
  const bool passing = problem.code == Errc::kUnavailable || problem.code == Errc::kTimeout;
  const bool inside = problem.code == Errc::kInternal || problem.code == Errc::kCorrupt;
  if (inside) return inside_problem(problem.message);
  if (!problem.is_foreign || !(passing || names_a_file(problem.message))) return problem;
  if (!passing && problem.code != Errc::kLimit) return inside_problem(problem.message);
  log::error("a request failed: " + log::printable(problem.message, 500));
  return {503, Errc::kUnavailable, "the control plane cannot do this just now",
          "try again in a moment; its log says more"};
}

}  // namespace

Reply Api::handle(const Request& request) {
  try {
    auto reply = answer(request);
    return reply ? std::move(*reply) : problem_reply(for_client(reply.error()));
  } catch (const std::exception& exception) {
    return problem_reply(inside_problem(exception.what()));
  }
}

std::optional<Reply> Api::refuse_body(const Request& request) {
  try {
    const auto matched = match(request.method, split_target(request.target).first);
    if (!matched) return problem_reply(matched.error());
    const auto identity = admit(request, *matched->route);
    if (!identity) return problem_reply(for_client(identity.error()));
    return std::nullopt;
  } catch (const std::exception& exception) {
    return problem_reply(inside_problem(exception.what()));
  }
}

Answer<Identity> Api::admit(const Request& request, const Route& route) {
  if (!route.needs) return Identity();
  return identify(dependencies_.access, request, *route.needs);
}

Answer<Reply> Api::answer(const Request& request) {
  const auto [path, query] = split_target(request.target);
  TRY(auto matched, match(request.method, path));
  TRY(const auto identity, admit(request, *matched.route));
  TRY(auto params, Params::parse(query, matched.route->parameters));
  Directory directory(dependencies_.agents, dependencies_.telemetry, identity.tenant);
  Call call{request,
            dependencies_,
            std::move(params),
            std::move(matched.path_argument),
            identity,
            dependencies_.clock.unix_ms(),
            std::move(directory)};
  auto reply = matched.route->handler(call);
  if (reply && reply->follower) {
    reply->may_go_on = [&access = dependencies_.access, key_id = identity.key_id] {
      const auto valid = access.still_valid(key_id);
      // A store that does not answer for a moment takes nobody's stream away.
      return valid || valid.error().code() != Errc::kDenied;
    };
  }
  return reply;
}

}  // namespace observeai::controlplane::api
