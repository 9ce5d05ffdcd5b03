#include "agent/executor/actions/systemd_units.h"

#include <algorithm>
#include <array>

#include "agent/executor/process_runner.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxAnswerBytes = 256U << 10;
constexpr std::size_t kMaxUnitNameBytes = 255;

// In this order in Unit; those of services alone may be missing.
constexpr const char* kShow =
    "--property=Id,LoadState,ActiveState,SubState,FragmentPath,DropInPaths,InvocationID,Transient,"
    "NeedDaemonReload,RequiredBy,RequisiteOf,BoundBy,ConsistsOf,Type,Result,NRestarts,"
    "RemainAfterExit";
// UNIT_ATOM_PROPAGATE_RESTART of systemd's unit-dependency-atom.c.
constexpr std::array kRestartedAlong = {"RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (const auto word : text::split(text, ' '))
    if (!word.empty()) out.emplace_back(word);
  return out;
}

}  // namespace

Result<Unit> parse_unit(std::string_view shown) {
  std::map<std::string, std::string, std::less<>> properties;
  for (const auto line : text::split(shown, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    properties.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  const auto value = [&](std::string_view name) {
    const auto found = properties.find(name);
    return found == properties.end() ? std::string() : found->second;
  };
  for (const char* name : {"Id", "LoadState", "ActiveState", "Transient"})
    if (value(name).empty())
      return Error(Errc::kCorrupt, std::string("systemctl does not tell ") + name);
  Unit unit;
  unit.id = value("Id");
  unit.load = value("LoadState");
  unit.active = value("ActiveState");
  unit.sub = value("SubState");
  unit.type = value("Type");
  unit.result = value("Result");
  unit.fragment = value("FragmentPath");
  unit.invocation = value("InvocationID");
  unit.drop_ins = words(value("DropInPaths"));
  for (const char* name : kRestartedAlong)
    for (auto& one : words(value(name))) unit.restarted_along.push_back(std::move(one));
  std::sort(unit.restarted_along.begin(), unit.restarted_along.end());
  unit.restarts = text::parse_u64(value("NRestarts")).value_or(0);
  unit.transient = value("Transient") == "yes";
  unit.remains = value("RemainAfterExit") == "yes";
  unit.file_changed = value("NeedDaemonReload") == "yes";
  return unit;
}

bool is_unit_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() > kMaxUnitNameBytes ||
      name.front() == '-' || name.front() == '.')
    return false;
  constexpr std::array kKinds = {".service", ".socket", ".timer", ".path"};
  if (std::find(kKinds.begin(), kKinds.end(), name.substr(dot)) == kKinds.end()) return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(":-_.\\@").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

Result<std::string> Systemctl::call(std::vector<std::string> arguments, const std::string& name,
                                    const Run& run) const {
  if (!is_unit_name(name))
    return Error(Errc::kInvalid, "\"" + text::escape_unprintable(name, 255) +
                                     "\" is no name of a service, socket, timer or path");
  TRY_VOID(run.check());
  const std::string verb = arguments.front();
  arguments.insert(arguments.begin(), {"--no-pager", "--no-ask-password", "--quiet"});
  arguments.insert(arguments.end(), {"--", name});
  Program program{.path = program_, .arguments = std::move(arguments)};
  program.environment = {"LANG=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER="};
  auto end = run_program(program, run.left(), kMaxAnswerBytes);
  if (!end) {
    const auto code = end.error().code() == Errc::kTimeout ? Errc::kTimeout : Errc::kUnavailable;
    return Error(code, "systemctl " + verb + ": " + end.error().message());
  }
  if (end->timed_out)
    return Error(Errc::kTimeout, "systemctl " + verb + " " + name +
                                     " takes longer than the command may; systemd goes on with it");
  if (!end->succeeded())
    return Error(Errc::kUnavailable, "systemctl " + verb + " " + name + ": " + end->describe() +
                                         ": " + text::escape_unprintable(end->output, 512));
  return std::move(end->output);
}

Result<Unit> Systemctl::show(const std::string& name, const Run& run) const {
  TRY(const std::string shown, call({"show", kShow}, name, run));
  TRY(Unit unit, parse_unit(shown));
  if (unit.load == "not-found") return Error(Errc::kNotFound, "there is no unit " + name);
  return unit;
}

Result<void> Systemctl::restart(const std::string& name, Run& run) const {
  TRY(const std::string printed, call({"restart"}, name, run));
  run.output(printed);
  return {};
}

Result<void> Systemctl::reset_failed(const std::string& name, Run& run) const {
  TRY(const std::string printed, call({"reset-failed"}, name, run));
  run.output(printed);
  return {};
}

}  // namespace observeai::agent::executor
