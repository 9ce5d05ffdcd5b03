// token, agent, key, whoami: who may enter.
#include <chrono>
#include <ostream>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

// An answer that is one record: printed as it is, or by `human`.
template <class Human>
Result<void> present(Context& context, const json::value& answer, Human human) {
  if (context.json) {
    context.out << pretty(answer);
  } else {
    human(object_of(answer));
  }
  return {};
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void print_agent(Context& context, const json::object& agent) {
  Table table({"", ""});
  const auto row = [&](const char* what, Cell value) {
    table.add({Cell(what, Tone::kFaint), std::move(value)});
  };
  row("agent", text_at(agent, "agent_id"));
  row("host", text_at(agent, "hostname"));
  row("state", state_cell(text_at(agent, "state")));
  if (flag_at(agent, "needs_approval"))
    row("approval",
        Cell("waiting: observeai agent approve " + text_at(agent, "agent_id"), Tone::kWarning));
  row("version", text_at(agent, "agent_version"));
  row("enrolled", since(integer_at(agent, "enrolled_ms"), now_ms()) + " with token " +
                      text_at(agent, "token_id"));
  row("last seen", since(integer_at(agent, "last_seen_ms"), now_ms()));
  row("certificate", "serial " + text_at(agent, "certificate_serial") + ", ends " +
                         until(integer_at(agent, "certificate_not_after_ms"), now_ms()));
  row("key", text_at(agent, "spki_sha256"));
  row("shard", std::to_string(integer_at(agent, "shard")));
  if (integer_at(agent, "revoked_ms") > 0) {
    row("revoked", Cell(since(integer_at(agent, "revoked_ms"), now_ms()) + ": " +
                            text_at(agent, "revoked_reason"),
                        Tone::kBad));
  }
  context.out << table.render(context.terminal);
}

}  // namespace

Result<void> create_token(Context& context, const TokenOptions& options) {
  TRY(const auto ttl_ms, text::parse_duration_ms(options.ttl));
  json::object body{
      {"ttl_ms", ttl_ms}, {"uses", options.uses}, {"needs_approval", options.needs_approval}};
  if (!options.host_pattern.empty()) body["host_pattern"] = options.host_pattern;
  if (!options.cidrs.empty())
    body["cidrs"] = json::array(options.cidrs.begin(), options.cidrs.end());
  json::object labels;
  for (const auto& label : options.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error(Errc::kInvalid, "--label must look like site=berlin, got \"" +
                                       text::escape_unprintable(label, 60) + "\"");
    }
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  if (!labels.empty()) body["labels"] = labels;
  TRY(const auto answer, context.api.post("/v1/tokens", body));
  return present(context, answer, [&](const json::object& created) {
    const std::string token = text_at(created, "text");
    if (options.quiet) {
      context.out << token << "\n";
      return;
    }
    const auto& record = object_at(created, "token");
    context.out << token << "\n\nFor " << integer_at(record, "uses_allowed") << " host(s), ends "
                << until(integer_at(record, "expires_ms"), now_ms())
                << ". It is not shown again. On the host, as root:\n"
                << "  observeai-agent enroll --server " << context.server << " " << token << "\n";
  });
}

Result<void> list_tokens(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/tokens", "tokens"));
  return present(context, answer, [&](const json::object& body) {
    Table table({"ID", "STATE", ">USED", ">OF", "ENDS", "HOSTS", "FROM", "BY"});
    for (const auto& value : array_at(body, "tokens")) {
      const auto& token = object_of(value);
      std::string cidrs;
      for (const auto& cidr : array_at(token, "cidrs")) {
        if (cidr.is_string()) cidrs += (cidrs.empty() ? "" : " ") + printable(cidr.as_string());
      }
      const std::string pattern = text_at(token, "host_pattern");
      table.add({text_at(token, "id"), state_cell(text_at(token, "state")),
                 std::to_string(integer_at(token, "uses")),
                 std::to_string(integer_at(token, "uses_allowed")),
                 until(integer_at(token, "expires_ms"), integer_at(body, "now_ms")),
                 pattern.empty() ? "any" : pattern, cidrs.empty() ? "anywhere" : cidrs,
                 text_at(token, "created_by")});
    }
    context.out << (table.empty() ? "No tokens. Make one: observeai token create\n"
                                  : table.render(context.terminal));
  });
}

Result<void> revoke_token(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.remove("/v1/tokens/" + http::percent_encode(id)));
  return present(context, answer, [&](const json::object& token) {
    context.out << "Token " << text_at(token, "id")
                << " is revoked. Hosts enrolled with it stay.\n";
  });
}

Result<void> list_agents(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/agents", "agents"));
  return present(context, answer, [&](const json::object& body) {
    const auto now = integer_at(body, "now_ms");
    Table table({"ID", "HOST", "STATE", "SEEN", "VERSION", "ENROLLED", "CERTIFICATE ENDS"});
    for (const auto& value : array_at(body, "agents")) {
      const auto& agent = object_of(value);
      table.add({text_at(agent, "agent_id"), text_at(agent, "hostname"),
                 state_cell(text_at(agent, "state")), since(integer_at(agent, "last_seen_ms"), now),
                 text_at(agent, "agent_version"), since(integer_at(agent, "enrolled_ms"), now),
                 until(integer_at(agent, "certificate_not_after_ms"), now)});
    }
    context.out << (table.empty() ? "No agents. Make a token: observeai token create\n"
                                  : table.render(context.terminal));
  });
}

Result<void> show_agent(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.get("/v1/agents/" + http::percent_encode(id)));
  return present(context, answer, [&](const json::object& agent) { print_agent(context, agent); });
}

Result<void> revoke_agent(Context& context, const std::string& id, const std::string& reason) {
  TRY(const auto answer, context.api.post("/v1/agents/" + http::percent_encode(id) + "/revoke",
                                          json::object{{"reason", reason}}));
  return present(context, answer, [&](const json::object& agent) {
    context.out << "Agent " << text_at(agent, "agent_id")
                << " is revoked: nothing more of it is accepted.\n";
  });
}

Result<void> approve_agent(Context& context, const std::string& id) {
  TRY(const auto answer,
      context.api.post("/v1/agents/" + http::percent_encode(id) + "/approve", json::object()));
  return present(context, answer, [&](const json::object& agent) {
    context.out << "Agent " << text_at(agent, "agent_id") << " is " << text_at(agent, "state")
                << ".\n";
  });
}

Result<void> create_key(Context& context, const std::string& user, const std::string& role,
                        const std::string& ttl) {
  std::int64_t expires_ms = 0;
  if (!ttl.empty()) {
    TRY(const auto ttl_ms, text::parse_duration_ms(ttl));
    expires_ms = now_ms() + ttl_ms;
  }
  TRY(const auto answer,
      context.api.post("/v1/keys",
                       json::object{{"user", user}, {"role", role}, {"expires_ms", expires_ms}}));
  return present(context, answer, [&](const json::object& created) {
    context.out << text_at(created, "text")
                << "\n\nIt is not shown again. Use it as: Authorization: Bearer KEY\n";
  });
}

Result<void> list_keys(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/keys", "keys"));
  return present(context, answer, [&](const json::object& body) {
    const auto now = integer_at(body, "now_ms");
    Table table({"ID", "STATE", "USER", "ROLE", "USED", "ENDS"});
    for (const auto& value : array_at(body, "keys")) {
      const auto& key = object_of(value);
      table.add({text_at(key, "id"), state_cell(text_at(key, "state")), text_at(key, "user"),
                 text_at(key, "role"), ago(integer_at(key, "last_used_ms"), now),
                 until(integer_at(key, "expires_ms"), now)});
    }
    context.out << table.render(context.terminal);
  });
}

Result<void> revoke_key(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.remove("/v1/keys/" + http::percent_encode(id)));
  return present(context, answer, [&](const json::object& key) {
    context.out << "Key " << text_at(key, "id") << " of " << text_at(key, "user")
                << " is revoked.\n";
  });
}

Result<void> show_whoami(Context& context) {
  TRY(const auto answer, context.api.get("/v1/whoami"));
  return present(context, answer, [&](const json::object& body) {
    context.out << text_at(body, "user") << ", role " << text_at(body, "role") << ", tenant "
                << text_at(body, "tenant") << ", key " << text_at(body, "key_id") << "\n";
  });
}

}  // namespace observeai::controlplane::cli
