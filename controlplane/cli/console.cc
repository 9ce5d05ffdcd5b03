#include "controlplane/cli/console.h"

#include <unistd.h>

#include <clocale>
#include <iostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/credentials.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/plan_console.h"
#include "controlplane/cli/prediction_console.h"
#include "controlplane/cli/root_console.h"
#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "protocol/config/command_line.h"

namespace observeai::controlplane::cli {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 the control plane answered with an error, 2 wrong usage, 3 "
    "unreachable,\n"
    "4 not allowed, 5 not found. Times: 15m, 2h, 7d (before now) or 2026-01-31T14:02:00Z.\n"
    "TARGET: host, a container's name or id (its start is enough), unit/NAME, process/KEY.";

int exit_code_for(Errc code) {
  switch (code) {
    case Errc::kUnavailable:
    case Errc::kTimeout:
      return kUnreachable;
    case Errc::kDenied:
      return kNotAllowed;
    case Errc::kNotFound:
      return kNotFound;
    case Errc::kInvalid:
      return kUsage;
    default:
      return kFailed;
  }
}

int fail(const Error& error) {
  std::cerr << "observeai: " << printable_lines(error.message()) << "\n";
  return exit_code_for(error.code());
}

std::string address_of(const http::Endpoint& server) {
  const bool is_ipv6 = server.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

// What the options say, and which command runs with a logged-in client.
class Console {
 public:
  Console() : app_("See and steer what ObserveAI watches.", "observeai") {
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.add_flag("--json", json_, "The server's answer as JSON; also after the command");
    app_.set_help_all_flag("--help-all", "Help of every command");
    app_.add_option("--login-file", login_file_,
                    "Use this login (default: $OBSERVEAI_CONSOLE, then .observeai/console.json "
                    "here or above, then ~/.config/observeai/console.json)");
    add_fleet();
    add_workloads();
    add_telemetry();
    add_administration();
    add_audit();
    add_local();
    plans_ = std::make_unique<PlanConsole>(
        app_, json_, [this](PlanConsole::Action what) { action_ = std::move(what); });
    predictions_ = std::make_unique<PredictionConsole>(
        app_, json_, [this](PredictionConsole::Action what) { action_ = std::move(what); });
    root_ = std::make_unique<RootConsole>(
        app_, json_,
        [this](RootConsole::Local what) {
          local_ = [this, what = std::move(what)] { return run_offline(what); };
        },
        [this](RootConsole::Remote what) { action_ = std::move(what); });
  }

  int run(int argc, char** argv) {
    if (argc <= 1) {
      std::cout << app_.help();
      return kUsage;
    }
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return config::explain_parse_error(app_, error, argc, argv);
    }
    if (local_) return local_();
    if (login_file_.empty()) login_file_ = find_credentials_file();
    const auto credentials = load_credentials(login_file_);
    if (!credentials) {
      fail(credentials.error());
      return kNotAllowed;
    }
    ApiClient api(http::make_https_client(credentials->server), credentials->key);
    const Terminal terminal = detect_terminal(STDOUT_FILENO);
    Context context{api, terminal, json_, std::cout, std::cerr, address_of(credentials->server)};
    const auto done = action_(context);
    std::cout.flush();
    return done ? kOk : fail(done.error());
  }

 private:
  using Action = std::function<Result<void>(Context&)>;

  CLI::App* command(CLI::App* parent, const char* name, const char* help, Action action) {
    CLI::App* sub = parent->add_subcommand(name, help);
    sub->add_flag("--json", json_, "The server's answer as JSON");
    sub->callback([this, action = std::move(action)] { action_ = action; });
    return sub;
  }
  CLI::App* group(const char* name, const char* help) {
    CLI::App* sub = app_.add_subcommand(name, help);
    sub->require_subcommand(1);
    return sub;
  }
  CLI::App* with_host(CLI::App* sub) {
    sub->add_option("--host", host_, "Only this host (name or id)");
    return sub;
  }

  void add_fleet() {
    command(&app_, "status", "The whole installation on one page",
            [](Context& c) { return show_status(c); });
    command(&app_, "hosts", "Hosts, or one host in detail", [this](Context& c) {
      return name_.empty() ? show_hosts(c) : show_host(c, name_);
    })->add_option("HOST", name_, "Host name or agent id");
    command(&app_, "alerts", "What needs a person", [this](Context& c) {
      return name_.empty() ? show_alerts(c) : resolve_alert(c, name_);
    })->add_option("--resolve", name_, "Take the alert with this id off the list");
    with_host(command(
        &app_, "ledger",
        "The loss ledger: read, spooled, stored, dropped, since the host began its present spool",
        [this](Context& c) { return show_ledger(c, host_); }));
  }

  void add_workloads() {
    with_host(command(&app_, "containers", "Containers with what they use", [this](Context& c) {
      return show_containers(c, host_, all_);
    }))->add_flag("-a,--all", all_, "Stopped ones too");
    with_host(command(&app_, "processes", "Processes, grouped by owner and program",
                      [this](Context& c) { return show_processes(c, host_, name_); }))
        ->add_option("TARGET", name_, "Only those of a container or unit");
    with_host(command(&app_, "services", "Services and their health",
                      [this](Context& c) { return show_services(c, host_); }));
    with_host(command(&app_, "ports", "Listening ports",
                      [this](Context& c) { return show_ports(c, host_); }));
    CLI::App* top = with_host(
        command(&app_, "top", "What uses most, refreshed every few seconds", [this](Context& c) {
          return show_top(c, host_, by_, interval_s_, top_rounds(c, once_, rounds_));
        }));
    top->add_option("--by", by_, "cpu or memory")->check(CLI::IsMember({"cpu", "memory"}));
    top->add_flag("--once", once_, "Print once (the default when the output is not a terminal)");
    top->add_option("-d,--interval", interval_s_, "Seconds between two pictures")
        ->check(CLI::Range(1, 3600));
    top->add_option("-n,--rounds", rounds_, "Stop after so many pictures");
  }

  void add_telemetry() {
    CLI::App* logs =
        with_host(command(&app_, "logs", "Log lines of a target; -f follows", [this](Context& c) {
          logs_.host = host_;
          logs_.timestamps = !no_times_;
          return show_logs(c, logs_);
        }));
    logs->add_option("TARGET", logs_.target, "Container name or id; without it every container");
    logs->add_flag("-f,--follow", logs_.follow, "Go on as lines come");
    logs->add_option("--since", logs_.since, "From this time on (default 1h)");
    logs->add_option("--until", logs_.until, "Before this time");
    logs->add_option("-g,--grep", logs_.grep, "Only lines that contain this text");
    logs->add_option("--stream", logs_.stream, "stdout or stderr")
        ->check(CLI::IsMember({"stdout", "stderr"}));
    logs->add_option("-n,--limit", logs_.limit, "Most lines (default 1000; with -f 20 old ones)")
        ->check(CLI::Range(0, 10000));
    logs->add_flag("--no-times", no_times_, "Without the time in front");

    CLI::App* metrics = with_host(command(
        &app_, "metrics", "Metrics of a target: the list, or a plot of one", [this](Context& c) {
          metrics_.host = host_;
          return show_metrics(c, metrics_);
        }));
    metrics->add_option("TARGET", metrics_.target, "host, or a container's name or id")->required();
    metrics->add_option("NAME", metrics_.name, "Metric to plot; counters are shown per second");
    metrics->add_option("--since", metrics_.since, "From this time on (default 1h)");
    metrics->add_option("--until", metrics_.until, "Before this time");
    metrics->add_option("--step", metrics_.step, "One point for each step, such as 60s");
    metrics->add_option("-l,--label", metrics_.labels, "Only series with this label: NAME=VALUE");

    CLI::App* events =
        with_host(command(&app_, "events", "What happened; -f follows", [this](Context& c) {
          events_.host = host_;
          return show_events(c, events_);
        }));
    events->add_option("TARGET", events_.target, "Only of this target");
    events->add_flag("-f,--follow", events_.follow, "Go on as events come");
    events->add_option("--kind", events_.kind, "Start of the kind: container.  docker.");
    events->add_option("--since", events_.since, "From this time on (default 24h)");
    events->add_option("--until", events_.until, "Before this time");
    events->add_option("-n,--limit", events_.limit, "Most events")->check(CLI::Range(0, 10000));
  }

  void add_administration() {
    CLI::App* token = group("token", "Enrollment tokens");
    CLI::App* create = command(token, "create", "Make a token for a new host",
                               [this](Context& c) { return create_token(c, token_); });
    create->add_option("--ttl", token_.ttl, "How long it works")->capture_default_str();
    create->add_option("--uses", token_.uses, "For how many hosts")->capture_default_str();
    create->add_option("--label", token_.labels, "Given to the hosts: NAME=VALUE, any number");
    create->add_option("--cidr", token_.cidrs, "Only from these networks: 10.0.0.0/8, any number");
    create->add_option("--host-pattern", token_.host_pattern,
                       "Only for host names like this: web-*");
    create->add_flag("--needs-approval", token_.needs_approval,
                     "The host waits for `agent approve`");
    create->add_flag("-q,--quiet", token_.quiet, "Print the token alone");
    command(token, "list", "All tokens, without their secrets",
            [](Context& c) { return list_tokens(c); });
    command(token, "revoke", "Make a token worthless",
            [this](Context& c) { return revoke_token(c, name_); })
        ->add_option("ID", name_, "From token list")
        ->required();

    CLI::App* agent = group("agent", "Identities of the agents");
    command(agent, "list", "All agents", [](Context& c) { return list_agents(c); });
    command(agent, "show", "One agent", [this](Context& c) { return show_agent(c, name_); })
        ->add_option("ID", name_, "Agent id or host name")
        ->required();
    CLI::App* revoke = command(agent, "revoke", "Shut an agent out, for good",
                               [this](Context& c) { return revoke_agent(c, name_, reason_); });
    revoke->add_option("ID", name_, "The whole agent id")->required();
    revoke->add_option("--reason", reason_, "For the audit log")->capture_default_str();
    command(agent, "approve", "Let a waiting agent in",
            [this](Context& c) { return approve_agent(c, name_); })
        ->add_option("ID", name_, "The whole agent id")
        ->required();

    CLI::App* key = group("key", "API keys");
    CLI::App* new_key = command(key, "create", "Make a key for a person or a program",
                                [this](Context& c) { return create_key(c, name_, role_, ttl_); });
    new_key->add_option("USER", name_, "Whose")->required();
    new_key->add_option("--role", role_, "viewer, operator or admin")
        ->check(CLI::IsMember({"viewer", "operator", "admin"}))
        ->capture_default_str();
    new_key->add_option("--ttl", ttl_, "How long it works (default: until revoked)");
    command(key, "list", "All keys, without their secrets",
            [](Context& c) { return list_keys(c); });
    command(key, "revoke", "Make a key worthless",
            [this](Context& c) { return revoke_key(c, name_); })
        ->add_option("ID", name_, "From key list")
        ->required();

    command(&app_, "whoami", "Whose login this is", [](Context& c) { return show_whoami(c); });
  }

  void add_audit() {
    const auto show = [this](Context& c) { return show_audit(c, before_, logs_.limit); };
    CLI::App* audit = app_.add_subcommand("audit", "Who did what; show, verify, export");
    audit->callback([this, audit, show] {
      if (audit->get_subcommands().empty()) action_ = show;
    });
    for (CLI::App* sub :
         {audit, command(audit, "show", "The newest entries, as audit alone", show)}) {
      if (sub == audit) sub->add_flag("--json", json_, "The server's answer as JSON");
      sub->add_option("--before", before_, "Before the entry with this number");
      sub->add_option("-n,--limit", logs_.limit, "Most entries (default 1000)")
          ->check(CLI::Range(1, 10000));
    }
    CLI::App* verify =
        audit->add_subcommand("verify", "Prove that nothing was changed, or say what was");
    verify->add_flag("--json", json_, "The report as JSON");
    verify->add_option("FILE", verify_.file, "An export, checked without any server");
    verify->add_option("--root", verify_.root,
                       "SHA-256 of the first root metadata (the last part of an enrollment token), "
                       "or its file");
    verify->add_option("--heads", verify_.heads, "Signed heads kept elsewhere (audit.heads_file)");
    verify->callback([this] {
      if (verify_.file.empty()) {
        action_ = [this](Context& c) { return verify_audit(c, verify_); };
      } else {
        local_ = [this] {
          const auto done =
              verify_audit_file(verify_, detect_terminal(STDOUT_FILENO), json_, std::cout);
          return done ? static_cast<int>(kOk) : fail(done.error());
        };
      }
    });
    command(audit, "export", "The log with its proofs as JSON lines", [this](Context& c) {
      return export_audit(c, output_);
    })->add_option("-o,--output", output_, "Into this file");
  }

  void add_local() {
    CLI::App* login =
        app_.add_subcommand("login", "Log in with the text that the control plane printed");
    login->add_option("TEXT", name_,
                      "oal1...., or - to read it from standard input; without it a terminal is "
                      "asked. Other users of this machine see an argument in the process list");
    login->add_flag("--json", json_, "As JSON");
    login->callback([this] { local_ = [this] { return log_in(); }; });
    CLI::App* version =
        app_.add_subcommand("version", "Versions of this program and of the control plane");
    version->add_flag("--json", json_, "As JSON");
    version->callback([this] { local_ = [this] { return show_version(); }; });
  }

  // Root and approver keys: no control plane is needed.
  int run_offline(const RootConsole::Local& what) {
    const Terminal terminal = detect_terminal(STDOUT_FILENO);
    LocalContext context{terminal, json_, std::cout, std::cerr, SystemClock().unix_ms()};
    const auto done = what(context);
    std::cout.flush();
    return done ? kOk : fail(done.error());
  }

  int log_in() {
    const auto text = read_login_text(name_, ::isatty(STDIN_FILENO) == 1, std::cin, std::cerr);
    if (!text) return fail(text.error());
    const auto login = parse_login_text(*text);
    if (!login) return fail(login.error());
    ApiClient api(http::make_https_client(login->server), "");
    const auto answer = api.post("/v1/login", boost::json::object{{"code", login->code}});
    if (!answer) return fail(answer.error());
    const auto& reply = object_of(*answer);
    Credentials credentials{login->server, raw_text_at(reply, "key"), raw_text_at(reply, "user")};
    if (login_file_.empty()) {
      const char* named = std::getenv("OBSERVEAI_CONSOLE");
      login_file_ = named != nullptr && *named != '\0' ? named : default_credentials_file();
    }
    if (const auto saved = save_credentials(login_file_, credentials); !saved)
      return fail(saved.error());
    if (json_) {
      std::cout << pretty(boost::json::object{{"user", raw_text_at(reply, "user")},
                                              {"role", raw_text_at(reply, "role")},
                                              {"server", address_of(login->server)},
                                              {"login_file", login_file_}});
      return kOk;
    }
    std::cout << "Logged in as " << text_at(reply, "user") << " (" << text_at(reply, "role")
              << "). Saved in " << login_file_ << ". Try: observeai status\n";
    return kOk;
  }

  int show_version() {
    boost::json::object versions{{"console", OBSERVEAI_VERSION}, {"control_plane", nullptr}};
    const auto credentials =
        load_credentials(login_file_.empty() ? find_credentials_file() : login_file_);
    if (credentials) {
      ApiClient api(http::make_https_client(credentials->server), credentials->key);
      if (const auto answer = api.get("/v1/version"))
        versions["control_plane"] = raw_text_at(object_of(*answer), "version");
    }
    if (json_) {
      std::cout << pretty(versions);
      return kOk;
    }
    std::cout << "observeai " << OBSERVEAI_VERSION << "\n";
    if (versions["control_plane"].is_string()) {
      std::cout << "control plane " << text_at(versions, "control_plane") << "\n";
    } else {
      std::cout << "control plane: not reached\n";
    }
    return kOk;
  }

  CLI::App app_;
  Action action_;
  std::function<int()> local_;

  bool json_ = false;
  std::string login_file_;
  std::string host_;
  std::string name_;
  std::string reason_ = "revoked from the console";
  std::string role_ = "viewer";
  std::string ttl_;
  std::string before_;
  std::string output_;
  std::string by_ = "cpu";
  bool all_ = false;
  bool once_ = false;
  bool no_times_ = false;
  unsigned interval_s_ = 2;
  std::optional<unsigned> rounds_;
  LogOptions logs_;
  MetricOptions metrics_;
  EventOptions events_;
  TokenOptions token_;
  AuditVerifyOptions verify_;
  std::unique_ptr<PlanConsole> plans_;
  std::unique_ptr<PredictionConsole> predictions_;
  std::unique_ptr<RootConsole> root_;
};

}  // namespace

int run_console(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");
  return Console().run(argc, argv);
}

}  // namespace observeai::controlplane::cli
