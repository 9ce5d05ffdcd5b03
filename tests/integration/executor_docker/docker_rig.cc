#include "tests/integration/executor_docker/docker_rig.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"

namespace observeai::test {

using agent::executor::Run;

namespace {

constexpr std::size_t kOutputLimit = 64U << 10;

// As the executor hands them to the action.
wire::Parameters whole(const std::string& action, const wire::Parameters& said) {
  return actions::with_defaults(*actions::find(action), said);
}

bool run(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

// Kept for all cases: starting it takes a second.
struct Daemon {
  TempDir dir;
  bool running = false;

  Daemon() {
    for (const char* needed : {"dockerd", "docker", "busybox"}) {
      if (::getuid() == 0 && run(std::string("command -v ") + needed + " >/dev/null")) continue;
      std::printf("skipped: needs root, dockerd, docker and busybox\n");
      std::exit(77);
    }
    running = script("start", "") && script("image", "obs:base");
  }
  ~Daemon() { script("stop", ""); }
  bool script(const char* verb, const char* argument) const {
    std::string command = OBSERVEAI_DOCKERD_SH;
    command.append(" ").append(verb).append(" ").append(dir.path()).append(" ").append(argument);
    return run(command);
  }
};

Daemon& daemon() {
  static Daemon one;
  return one;
}

std::string client() {
  return "docker -H unix://" + (daemon().dir / "docker.sock") + " ";
}

}  // namespace

DockerRig::DockerRig() {
  REQUIRE(daemon().running);
  host_.docker_socket = socket();
  host_.clock = &clock_;
  actions_ = agent::executor::make_actions(host_);
}

DockerRig::~DockerRig() {
  // One that removes itself is in the way for a moment.
  const std::string remove_all =
      client() + "ps -aq | xargs -r " + client() + "rm -fv >/dev/null 2>&1";
  for (int i = 0; i < 100 && !docker("ps -aq").empty(); ++i) {
    if (!run(remove_all)) ::usleep(100'000);
  }
  run(client() + "volume prune -f >/dev/null");
  run(client() + "network prune -f >/dev/null");
}

std::string DockerRig::socket() const {
  return daemon().dir / "docker.sock";
}
const std::string& DockerRig::directory() const {
  return daemon().dir.path();
}

std::string DockerRig::docker(const std::string& arguments) const {
  const std::string out = daemon().dir / "out";
  CHECK_MESSAGE(run(client() + arguments + " >" + out), "docker ", arguments);
  std::string text = files::read(out).value();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}
bool DockerRig::docker_fails(const std::string& arguments) const {
  return !run(client() + arguments + " >/dev/null 2>&1");
}
std::string DockerRig::inspect(const std::string& what, const std::string& format) const {
  return docker("inspect --format '" + format + "' " + what);
}

void DockerRig::make_image(const std::string& name, const std::vector<std::string>& lines) const {
  std::string text = "FROM obs:base\n";
  for (const auto& line : lines) text += line + "\n";
  const std::string file = daemon().dir / "Dockerfile";
  REQUIRE(files::write_atomic(file, text, 0600));
  // The builder that needs nothing else. Without RUN no container is started for it.
  CHECK_MESSAGE(run("DOCKER_BUILDKIT=0 " + client() + "build -q -t " + name + " - <" + file +
                    " >/dev/null 2>&1"),
                name);
}

void DockerRig::make_build_cache(const std::string& mark) const {
  const std::string folder = daemon().dir / ("context-" + mark);
  REQUIRE(files::make_directories(folder, 0700));
  REQUIRE(
      files::write_atomic(folder + "/Dockerfile", "FROM scratch\nCOPY a /a\nCOPY b /b\n", 0600));
  REQUIRE(files::write_atomic(folder + "/a", "a " + mark, 0600));
  REQUIRE(files::write_atomic(folder + "/b", "b " + mark, 0600));
  // version=2 is BuildKit. The client would need its plugin for it; the engine does not.
  CHECK_MESSAGE(run("tar -C " + folder + " -c . | curl -sS --fail --unix-socket " + socket() +
                    " -H Content-Type:application/x-tar --data-binary @- -o /dev/null" +
                    " \"http://docker/v1.41/build?version=2&t=built:" + mark + "\""),
                mark);
}

bool DockerRig::Outcome::as_simulated() const {
  return seen && executed && verified && *verified == seen->diff;
}

std::string DockerRig::Outcome::why() const {
  if (!seen) return "assess: " + seen.error().message();
  if (stale) return "stale";
  if (!executed) return "execute: " + executed.error().message();
  if (!verified) return "verify: " + verified.error().message();
  return "changed:\n" + text_of(*verified) + "simulated:\n" + text_of(seen->diff);
}

Result<Assessment> DockerRig::assess(const std::string& action,
                                     const wire::Parameters& parameters) {
  Run run(clock_, clock_.steady_now() + std::chrono::seconds(20), kOutputLimit);
  return actions_.at(action)->assess(whole(action, parameters), run);
}

DockerRig::Outcome DockerRig::perform_approved(const std::string& action,
                                               const wire::Parameters& said,
                                               const Assessment& approved, bool roll_back,
                                               std::chrono::milliseconds limit) {
  const auto parameters = whole(action, said);
  Outcome out;
  Run run = begin(limit);
  Action& doing = *actions_.at(action);
  out.seen = doing.assess(parameters, run);
  if (!out.seen) return out;
  out.stale = out.seen->state != approved.state || out.seen->diff != approved.diff;
  if (out.stale) return out;
  out.executed = doing.execute(parameters, *out.seen, run);
  if (out.executed) out.verified = doing.verify(parameters, *out.seen, run);
  if (!out.verified && roll_back) out.undone = undo(action, parameters, *out.seen);
  out.steps = run.steps();
  return out;
}

DockerRig::Outcome DockerRig::perform(const std::string& action, const wire::Parameters& parameters,
                                      bool roll_back, std::chrono::milliseconds limit) {
  const auto approved = assess(action, parameters);
  if (!approved) {
    Outcome out;
    out.seen = approved.error();
    return out;
  }
  return perform_approved(action, parameters, *approved, roll_back, limit);
}

Result<void> DockerRig::undo(const std::string& action, const wire::Parameters& parameters,
                             const Assessment& seen) {
  Run run(clock_, clock_.steady_now() + std::chrono::seconds(40), kOutputLimit, command_);
  return actions_.at(action)->undo(whole(action, parameters), seen, run);
}

Result<std::string> DockerRig::recover(const std::string& action, const Assessment& seen) {
  Run run(clock_, clock_.steady_now() + std::chrono::seconds(20), kOutputLimit, command_);
  return actions_.at(action)->recover(seen.state, run);
}

Run DockerRig::begin(std::chrono::milliseconds limit) {
  static int number = 0;
  command_ = std::to_string(++number);
  command_.insert(0, 32 - command_.size(), '0');
  return Run(clock_, clock_.steady_now() + limit, kOutputLimit, command_);
}

std::string text_of(const std::vector<wire::Change>& changes) {
  std::string out;
  for (const auto& change : changes) {
    out += "  " + change.what + ": " + change.before + " -> " + change.after + "\n";
  }
  return out;
}

std::string fact(const Assessment& seen, const std::string& name) {
  for (const auto& label : seen.facts) {
    if (label.name == name) return label.value;
  }
  return {};
}

}  // namespace observeai::test
