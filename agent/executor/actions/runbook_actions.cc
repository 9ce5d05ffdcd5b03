#include "agent/executor/actions/runbook_actions.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "agent/executor/actions/open_beneath.h"
#include "agent/executor/actions/values.h"
#include "agent/executor/process_runner.h"
#include "protocol/base/files.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent::executor {
namespace {

constexpr const char* kRunbook = "runbook";
constexpr std::size_t kShownDigits = 12;

Error bad(const std::string& name, const std::string& why) {
  return Error(Errc::kInvalid, "parameter \"" + name + "\" " + why);
}

Result<std::string> value_of(const SiteLists::RunbookParameter& spec,
                             const wire::ParameterValue& value) {
  if (spec.integer) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    if (integer == nullptr) return bad(spec.name, "must be an integer");
    if (*integer < spec.min || *integer > spec.max)
      return bad(spec.name,
                 "must be " + std::to_string(spec.min) + " to " + std::to_string(spec.max));
    return std::to_string(*integer);
  }
  // Who makes a plan does not see this schema, and takes what is written as a number for one.
  if (std::holds_alternative<bool>(value)) return bad(spec.name, "must be a text");
  std::string text = actions::format_value(value);
  if (std::find(spec.choices.begin(), spec.choices.end(), text) == spec.choices.end())
    return bad(spec.name, "must be one of the policy's choices");
  return text;
}

// What would run, checked.
struct Ready {
  std::string name;
  std::string path;
  std::vector<std::string> arguments;
  HeldProgram program;
  bool changes_nothing = false;
};

std::string joined(const std::vector<std::string>& arguments) {
  std::string out;
  for (const auto& argument : arguments) out.append(out.empty() ? "" : " ").append(argument);
  return out.empty() ? "no parameters" : out;
}

std::vector<wire::Change> changes(const Ready& ready) {
  if (ready.changes_nothing) return {};
  return {{"runbook " + ready.name, "",
           "runs " + ready.program.sha256().substr(0, kShownDigits) + " with " +
               text::escape_unprintable(joined(ready.arguments), wire::kMaxChangeBytes / 2)}};
}

class RunRunbook final : public Action {
 public:
  explicit RunRunbook(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run&) override {
    TRY(const Ready ready, prepare(parameters));
    Assessment seen;
    seen.state = state_text({{"arguments", joined(ready.arguments)},
                             {"path", ready.path},
                             {"runbook", ready.name},
                             {"sha256", ready.program.sha256()}});
    seen.diff = changes(ready);
    return seen;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    done_.clear();
    TRY(const Ready ready, prepare(parameters));
    if (changes(ready) != seen.diff)
      return Error(Errc::kCorrupt, "the runbook is not what was assessed");
    run.step("run", ready.path + " " + joined(ready.arguments));
    const Program program{.path = ready.path, .held = &ready.program, .arguments = ready.arguments};
    TRY(const ProgramEnd end, run_program(program, run.left(), wire::kMaxOutputBytes));
    run.output(end.output);
    if (end.timed_out) return Error(Errc::kTimeout, ready.name + " " + end.describe());
    if (!end.succeeded()) return Error(Errc::kUnavailable, ready.name + ": " + end.describe());
    done_ = changes(ready);
    return {};
  }

  // What a runbook changes only its author knows; what is known is which bytes ran, and that they ended well.
  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run&) override {
    return std::exchange(done_, {});
  }

 private:
  Result<Ready> prepare(const wire::Parameters& parameters) const {
    const auto name = parameter<std::string>(parameters, kRunbook, "");
    const auto found = host_.lists.runbooks.find(name);
    if (found == host_.lists.runbooks.end())
      return Error(Errc::kDenied, "the policy lists no runbook \"" + name + "\"");
    const SiteLists::Runbook& runbook = found->second;
    TRY(auto arguments, runbook_arguments(runbook, parameters));
    TRY(const UniqueFd file, open_without_links(runbook.path, O_RDONLY));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
      return files::from_errno("cannot look at " + runbook.path, errno);
    if (!S_ISREG(info.st_mode))
      return Error(Errc::kDenied, runbook.path + " is not a regular file");
    if (info.st_uid != host_.site_owner)
      return Error(Errc::kDenied, runbook.path + " must be owned by root: chown root it");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
      return Error(Errc::kDenied, runbook.path + " can be changed by others: chmod go-w it");
    if ((info.st_mode & S_IXUSR) == 0)
      return Error(Errc::kDenied, runbook.path + " is not executable: chmod u+x it");
    TRY(auto program, HeldProgram::copy_of(file.get()));
    if (program.sha256() != runbook.sha256)
      return Error(Errc::kCorrupt, runbook.path + " has sha256 " + program.sha256() +
                                       ", the policy allows " + runbook.sha256);
    return Ready{name, runbook.path, std::move(arguments), std::move(program),
                 runbook.changes_nothing};
  }

  const Host& host_;
  std::vector<wire::Change> done_;  // By the latest execute(), when it ended well
};

}  // namespace

Result<std::vector<std::string>> runbook_arguments(const SiteLists::Runbook& runbook,
                                                   const wire::Parameters& parameters) {
  std::map<std::string, const SiteLists::RunbookParameter*> known;
  for (const auto& spec : runbook.parameters) known.emplace(spec.name, &spec);
  std::vector<std::string> out;
  for (const auto& [name, value] : parameters) {
    if (name == kRunbook) continue;
    const auto spec = known.find(name);
    if (spec == known.end()) return bad(name, "is none of this runbook's");
    TRY(const std::string text, value_of(*spec->second, value));
    out.push_back("--" + name + "=" + text);
  }
  for (const auto& [name, spec] : known)
    if (spec->required && !parameters.contains(name)) return bad(name, "is missing");
  return out;
}

void add_runbook_actions(const Host& host, Actions& actions) {
  actions.emplace("runbook", std::make_unique<RunRunbook>(host));
}

}  // namespace observeai::agent::executor
