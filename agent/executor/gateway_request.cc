#include "agent/executor/gateway_request.h"

#include <algorithm>
#include <boost/json.hpp>

#include "agent/executor/docker_answers.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

// What discovery's client and curl send. Nothing that gives a request a body, another protocol or
// another form.
constexpr std::string_view kHeaders[] = {"host", "user-agent", "accept", "accept-encoding",
                                         "connection"};
constexpr std::string_view kEvents[] = {"create", "start",  "die",           "oom",   "destroy",
                                        "rename", "update", "health_status", "pause", "unpause"};
constexpr std::size_t kMaxSinceBytes = 32;

template <class List>
bool is_one_of(std::string_view word, const List& list) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

GatewayVerdict refuse(unsigned status, std::string why) {
  return {std::nullopt, status, std::move(why)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto byte = text::from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    out.push_back(static_cast<char>(byte->front()));
    i += 2;
  }
  return out;
}

// Refused with the header's name; "" when all are fine.
std::string refused_header(const std::vector<std::string_view>& lines) {
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::size_t colon = lines[i].find(':');
    const std::string name = lower(lines[i].substr(0, colon));
    if (colon == std::string_view::npos || !is_one_of(name, kHeaders)) {
      return text::escape_unprintable(name, 60);
    }
    if (name != "connection") continue;
    const std::string value = lower(text::trim(lines[i].substr(colon + 1)));
    if (value != "close" && value != "keep-alive") return "connection: " + value.substr(0, 60);
  }
  return {};
}

// {"type":["container"],"event":[...]} in a form of ours; nullopt for anything else.
std::optional<std::string> event_filters(std::string_view encoded) {
  const auto decoded = percent_decoded(encoded);
  if (!decoded) return std::nullopt;
  const auto filters = parse_object(*decoded);
  if (!filters || filters->size() != 2) return std::nullopt;
  const json::array& types = array_at(*filters, "type");
  const json::array& events = array_at(*filters, "event");
  if (types.size() != 1 || text_of(types.front()) != "container" || events.empty()) {
    return std::nullopt;
  }
  for (const auto& event : events) {
    if (!is_one_of(text_of(event), kEvents)) return std::nullopt;
  }
  json::object out;
  out["type"] = types;
  out["event"] = events;
  return percent_encoded(json::serialize(out));
}

std::optional<std::string> events_target(std::string_view query) {
  std::string filters;
  std::string since;
  for (const auto part : text::split(query, '&')) {
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = part.substr(equals + 1);
    if (name == "filters" && filters.empty()) {
      const auto own = event_filters(value);
      if (!own) return std::nullopt;
      filters = *own;
    } else if (name == "since" && since.empty() && value.size() <= kMaxSinceBytes) {
      const std::size_t dot = value.find('.');
      const bool fine = is_digits(value.substr(0, dot)) &&
                        (dot == std::string_view::npos || is_digits(value.substr(dot + 1)));
      if (!fine) return std::nullopt;
      since = std::string(value);
    } else {
      return std::nullopt;
    }
  }
  if (filters.empty()) return std::nullopt;
  return "/events?filters=" + filters + (since.empty() ? "" : "&since=" + since);
}

// "/v1.41/x" -> "/v1.41"; "" when there is none.
std::string_view version_prefix(std::string_view path) {
  constexpr std::string_view kStart = "/v1.";
  if (path.substr(0, kStart.size()) != kStart) return {};
  const std::size_t end = path.find('/', kStart.size());
  if (end == std::string_view::npos || end > kStart.size() + 3) return {};
  return is_digits(path.substr(kStart.size(), end - kStart.size())) ? path.substr(0, end)
                                                                    : std::string_view();
}

std::optional<GatewayRequest> allowed(std::string_view target) {
  const std::string version(version_prefix(target));
  target.remove_prefix(version.size());
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const bool has_query = mark != std::string_view::npos;
  const std::string_view query = has_query ? target.substr(mark + 1) : std::string_view();
  if (path == "/events") {
    const auto events = events_target(query);
    if (!events) return std::nullopt;
    return GatewayRequest{AnswerKind::kStream, version + *events};
  }
  const bool list = path == "/containers/json" && (!has_query || query == "all=1");
  if (list || (!has_query && (path == "/_ping" || path == "/version"))) {
    return GatewayRequest{AnswerKind::kPlain, version + std::string(target)};
  }
  constexpr std::string_view kStart = "/containers/";
  constexpr std::string_view kEnd = "/json";
  const bool inspect = !has_query && path.size() == kStart.size() + 64 + kEnd.size() &&
                       path.substr(0, kStart.size()) == kStart &&
                       path.substr(path.size() - kEnd.size()) == kEnd &&
                       is_container_id(path.substr(kStart.size(), 64));
  if (!inspect) return std::nullopt;
  return GatewayRequest{AnswerKind::kContainer, version + std::string(target)};
}

}  // namespace

std::optional<GatewayVerdict> judge_request(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos || end + 4 > kMaxRequestHead) {
    if (bytes.size() >= kMaxRequestHead) return refuse(431, "the request's head is too long");
    return std::nullopt;
  }
  if (bytes.size() > end + 4) {
    return refuse(400, "one request for each connection, and none has a body");
  }
  std::vector<std::string_view> lines;
  for (std::string_view rest = bytes.substr(0, end + 2); !rest.empty();) {
    const std::size_t line = rest.find("\r\n");
    lines.push_back(rest.substr(0, line));
    rest.remove_prefix(line + 2);
  }
  for (const auto line : lines) {
    if (std::any_of(line.begin(), line.end(), [](char c) { return c < 0x20 || c > 0x7e; })) {
      return refuse(400, "the request has characters that are none of HTTP's");
    }
  }
  const auto words = text::split(lines.front(), ' ');
  if (words.size() != 3 || (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0")) {
    return refuse(400, "not an HTTP/1.1 request");
  }
  if (words[0] != "GET") {
    return refuse(403, "the gateway only reads: GET, not " + std::string(words[0].substr(0, 20)));
  }
  const std::string header = refused_header(lines);
  if (!header.empty()) return refuse(403, "the gateway passes no header \"" + header + "\"");
  auto request = allowed(words[1]);
  if (!request) {
    return refuse(403, "the gateway does not pass " + std::string(words[1].substr(0, 200)));
  }
  return GatewayVerdict{std::move(request), 0, {}};
}

std::string refusal_answer(unsigned status, std::string_view why) {
  json::object message;
  message["message"] = why;
  const std::string body = json::serialize(message) + "\n";
  return "HTTP/1.1 " + std::to_string(status) +
         " Refused\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace observeai::agent::executor
