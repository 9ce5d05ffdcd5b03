#include <boost/json.hpp>

#include "agent/executor/docker_answers.h"
#include "agent/executor/gateway_request.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

using Keys = std::initializer_list<const char*>;

json::object only(const json::object& object, Keys keys) {
  json::object out;
  for (const char* key : keys) {
    if (const json::value* value = value_at(object, key)) out[key] = *value;
  }
  return out;
}

}  // namespace

Result<std::string> reduced_container(std::string_view text) {
  TRY(const json::object all, parse_object(text));
  json::object out =
      only(all, {"Id", "Name", "Image", "Path", "Args", "Created", "RestartCount", "LogPath"});
  out["Config"] = only(object_at(all, "Config"), {"Image", "Labels"});
  const json::object& state = object_at(all, "State");
  json::object kept =
      only(state, {"Status", "StartedAt", "FinishedAt", "ExitCode", "OOMKilled", "Pid"});
  if (value_at(state, "Health") != nullptr) {
    kept["Health"] = only(object_at(state, "Health"), {"Status"});
  }
  out["State"] = std::move(kept);
  const json::object& host = object_at(all, "HostConfig");
  json::object limits = only(host, {"Memory", "NanoCpus", "CpuQuota", "CpuPeriod", "PidsLimit"});
  limits["LogConfig"] = only(object_at(host, "LogConfig"), {"Type"});
  out["HostConfig"] = std::move(limits);
  out["NetworkSettings"] = only(object_at(all, "NetworkSettings"), {"Ports"});
  return json::serialize(out);
}

std::string container_answer(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  // "HTTP/1.0 200 OK"
  if (end == std::string_view::npos || answer.substr(0, 5) != "HTTP/") {
    return refusal_answer(502, "the engine's answer is not HTTP");
  }
  const std::string_view status = answer.substr(answer.find(' ') + 1, 3);
  const std::string_view body = answer.substr(end + 4);
  if (status == "404") return refusal_answer(404, parse_message(body));
  if (status != "200") {
    return refusal_answer(502, "the engine refused: " + parse_message(body));
  }
  const auto reduced = reduced_container(body);
  if (!reduced) return refusal_answer(502, "the engine's answer: " + reduced.error().message());
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(reduced->size()) + "\r\nConnection: close\r\n\r\n" + *reduced;
}

}  // namespace observeai::agent::executor
