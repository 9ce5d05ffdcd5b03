// docker.rollback_image against a real daemon: cut at any of its requests, and what is put right afterwards.
#include <doctest/doctest.h>

#include "tests/integration/executor_docker/cut_off_engine.h"
#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kAction = "docker.rollback_image";
const wire::Parameters kTo1 = {{"container", std::string("web")}, {"image", std::string("app:1")}};

struct Fixture : DockerRig {
  Fixture() {
    static const bool made = [this] {
      make_image("app:1", {"CMD [\"sleep\", \"1001\"]", "STOPSIGNAL KILL", "VOLUME /only-new"});
      make_image("app:2", {"CMD [\"sleep\", \"1002\"]", "STOPSIGNAL KILL"});
      make_image("app:sick", {"CMD [\"sleep\", \"1003\"]", "STOPSIGNAL KILL",
                              "HEALTHCHECK --interval=1s --retries=1 CMD false"});
      return true;
    }();
    REQUIRE(made);
  }

  void run_web() {
    docker(
        "run -d --name web --network none --restart unless-stopped --stop-timeout 1 -v /data "
        "app:2");
    docker("exec web sh -c 'echo kept >/data/file'");
    old_id_ = inspect("web", "{{.Id}}");
  }
  std::string kept_name() const { return "web.kept-" + old_id_.substr(0, 12); }
  // "running unless-stopped"
  std::string shape(const std::string& what) const {
    return inspect(what, "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}");
  }
  std::string containers() const { return docker("ps -a --format {{.Names}}"); }
  std::string mark(const std::string& id) const {
    return inspect(id, "{{index .Config.Labels \"observeai.made_by\"}}");
  }

  // What `work` does after so many changes never reaches the engine, as if the program had died.
  template <class Work>
  auto cut(int changes, Work work) {
    const std::string real = host().docker_socket;
    CutOffEngine engine(real, changes);
    host().docker_socket = engine.path();
    auto out = work();
    host().docker_socket = real;
    return out;
  }
  // Rolls back up to the verification, which never comes.
  Assessment replace() {
    auto seen = assess(kAction, kTo1);
    REQUIRE_MESSAGE(seen, seen.error().message());
    auto run = begin();
    const auto done = action(kAction).execute(kTo1, *seen, run);
    REQUIRE_MESSAGE(done, done.error().message());
    return *seen;
  }
  std::string put_right(const Assessment& seen) {
    const auto what = recover(kAction, seen);
    return what ? *what : "error: " + what.error().message();
  }
  void check_back(const std::string& as = "running unless-stopped") const {
    CHECK(inspect("web", "{{.Id}}") == old_id_);
    CHECK(shape("web") == as);
    CHECK(containers() == "web");
    if (as[0] == 'r') CHECK(docker("exec web cat /data/file") == "kept");
  }

  std::string old_id_;
};

}  // namespace

// The executor dies after each of its requests in turn.
TEST_CASE_FIXTURE(Fixture, "interrupted anywhere, the workload is up after the next start") {
  run_web();
  std::vector<std::string> without;
  for (int changes = 0;; ++changes) {
    CAPTURE(changes);
    const auto seen = assess(kAction, kTo1);
    REQUIRE(seen);
    auto run = begin();
    const bool finished =
        cut(changes, [&] { return action(kAction).execute(kTo1, *seen, run).has_value(); });
    CHECK(run.is_to_recover() == !finished);  // Its way back is cut off too
    without.emplace_back(docker("ps -q").size() == 12 ? "up" : "down");
    const auto said = put_right(*seen);
    if (finished) {
      CHECK(said.find("in use") != std::string::npos);
      CHECK(said.find(kept_name()) != std::string::npos);
      CHECK(shape("web") == "running unless-stopped");
      CHECK(mark("web") == command());
      CHECK(shape(kept_name()) == "exited no");
      break;
    }
    if (containers() == "web") {
      check_back();
    } else {
      // The new one runs already.
      CHECK(shape("web") == "running unless-stopped");
      CHECK(shape(kept_name()) == "exited no");
      CHECK_MESSAGE(undo(kAction, kTo1, *seen), "what is kept can be had back");
      check_back();
    }
    REQUIRE(changes < 12);
  }
  // rename, create, stop | start, policy: down only between the stop and the start.
  CHECK(without == std::vector<std::string>{"up", "up", "up", "down", "up", "up"});
}

TEST_CASE_FIXTURE(Fixture, "cut before its stop, putting right takes nothing down") {
  run_web();
  for (int changes = 0;; ++changes) {
    CAPTURE(changes);
    const auto seen = assess(kAction, kTo1);
    REQUIRE(seen);
    auto run = begin();
    CHECK_FALSE(cut(2, [&] { return action(kAction).execute(kTo1, *seen, run); }));
    const std::string since = inspect(old_id_, "{{.State.StartedAt}}");
    const bool finished = cut(changes, [&] { return recover(kAction, *seen).has_value(); });
    CHECK(put_right(*seen).find("container web: ") == 0);
    check_back();
    CHECK(inspect("web", "{{.State.StartedAt}}") == since);
    if (finished) break;
    REQUIRE(changes < 6);
  }
}

TEST_CASE_FIXTURE(Fixture, "a way back that is cut anywhere goes on from there") {
  run_web();
  int changes = 0;
  for (bool finished = false; !finished; ++changes) {
    CAPTURE(changes);
    const auto seen = replace();
    finished = cut(changes, [&] { return undo(kAction, kTo1, seen).has_value(); });
    const auto said = put_right(seen);
    CAPTURE(said);
    if (changes == 0) {
      // Nothing was taken back yet: both are there, and the new one runs.
      CHECK(containers() == "web\n" + kept_name());
      CHECK(undo(kAction, kTo1, seen));
    }
    check_back();
  }
  CHECK(changes == 6);  // stop, remove, start, policy, rename, and then none
}

TEST_CASE_FIXTURE(Fixture, "putting right that is cut anywhere goes on from there") {
  run_web();
  std::string as = "running unless-stopped";
  int before = 3;  // rename, create, stop
  int steps = 3;   // remove, start, rename
  SUBCASE("one that ran") {}
  SUBCASE("one that was stopped") {
    docker("stop -t 0 web");
    as = "exited unless-stopped";
    before = 2;  // rename, create
    steps = 2;   // remove, rename
  }
  for (int changes = 0;; ++changes) {
    CAPTURE(changes);
    const auto seen = assess(kAction, kTo1);
    REQUIRE(seen);
    auto run = begin();
    CHECK_FALSE(cut(before, [&] { return action(kAction).execute(kTo1, *seen, run); }));
    const auto cut_off = cut(changes, [&] { return recover(kAction, *seen); });
    if (cut_off) {
      CHECK(changes == steps);
      CHECK(cut_off->find("is back") != std::string::npos);
    } else {
      CHECK(put_right(*seen).find("container web: ") == 0);
    }
    check_back(as);
    CHECK(put_right(*seen) == "container web: it is the one that was there before");
    if (cut_off) break;
    REQUIRE(changes < 6);
  }
  CHECK(docker("volume ls -q").size() == 64);  // The old one's
}

TEST_CASE_FIXTURE(Fixture, "one that was stopped stays so, from the other image") {
  run_web();
  docker("stop -t 0 web");
  const auto outcome = perform(kAction, kTo1);
  REQUIRE_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(outcome.seen->downtime_ms == 0);
  CHECK(text_of(outcome.seen->diff).find("container web: down -> made anew, not started") !=
        std::string::npos);
  CHECK(shape("web") == "created unless-stopped");
  CHECK(mark("web") == command());
  CHECK(shape(kept_name()) == "exited no");
  docker("start web");
  CHECK(docker("exec web cat /data/file") == "kept");
  CHECK(inspect("web", "{{json .Config.Cmd}}") == R"(["sleep","1001"])");
  // Somebody uses it by now: that it ends does not make it ours to remove.
  docker("stop -t 0 web");
  CHECK(put_right(*outcome.seen).find("in use") != std::string::npos);
  CHECK(shape("web") == "exited unless-stopped");
}

// The name alone says nothing about who made it.
TEST_CASE_FIXTURE(Fixture, "what took the name but was not made by the command is left alone") {
  run_web();
  const auto seen = replace();
  std::string theirs;
  std::string as = "exited no";
  SUBCASE("a container of its own") {
    docker("rm -f web");
    theirs = docker("run -d --name web --network none -v /precious app:2");
  }
  SUBCASE("one that an earlier command made") {
    docker("rm -f web");
    theirs = docker("run -d --name web --network none -v /precious --label observeai.made_by=" +
                    std::string(32, '7') + " app:1");
  }
  SUBCASE("one of an image that was made from the new container") {
    docker("commit web app:committed");
    docker("rm -f web");
    theirs = docker("run -d --name web --network none -v /precious app:committed");
    CHECK(mark("web") == command());
  }
  SUBCASE("the new one, which somebody gave another name") {
    docker("rename web other");
    theirs = inspect("other", "{{.Id}}");
    as = "exited unless-stopped";
    docker("exec other sh -c 'mkdir -p /precious'");
  }
  docker("exec " + theirs + " sh -c 'echo data >/precious/file'");
  docker("stop -t 0 " + theirs);
  const auto said = put_right(seen);
  CHECK_MESSAGE(said.find("is kept as " + kept_name()) != std::string::npos, said);
  CHECK(shape(theirs) == as);
  CHECK(shape(kept_name()) == "exited no");
  docker("start " + theirs);
  CHECK(docker("exec " + theirs + " cat /precious/file") == "data");
  docker("rm -f " + theirs);
  if (!docker_fails("image inspect app:committed")) docker("rmi app:committed");
}

TEST_CASE_FIXTURE(Fixture, "volumes that the new one has written to are never removed") {
  run_web();
  const auto seen = replace();
  docker("exec web sh -c 'echo new >/only-new/file'");
  const auto volume = inspect(
      "web", "{{range .Mounts}}{{if eq .Destination \"/only-new\"}}{{.Name}}{{end}}{{end}}");
  std::string said;
  SUBCASE("by putting right") {
    docker("kill web");
    docker("update --restart no web");
    said = put_right(seen);
  }
  SUBCASE("by undoing") {
    CHECK(undo(kAction, kTo1, seen));
    said = volume;
  }
  CHECK_MESSAGE(said.find(volume) != std::string::npos, said);
  check_back();
  CHECK(docker("run --rm --network none -v " + volume + ":/v app:2 cat /v/file") == "new");
}

TEST_CASE_FIXTURE(Fixture, "what somebody has taken care of is left as it is") {
  run_web();
  const auto seen = replace();
  SUBCASE("what was there before is gone") {
    docker("rm -v " + old_id_);
    CHECK(put_right(seen).find("gone") != std::string::npos);
  }
  SUBCASE("it has a name of somebody's choice") {
    docker("rename " + old_id_ + " mine");
    CHECK(put_right(seen).find("called what it was before mine") != std::string::npos);
    CHECK(shape("mine") == "exited no");
  }
  CHECK(shape("web") == "running unless-stopped");
  CHECK(mark("web") == command());
}

TEST_CASE_FIXTURE(Fixture, "a success removes all that was kept before it, and keeps one") {
  run_web();
  REQUIRE(perform(kAction, kTo1).as_simulated());
  const auto second = inspect("web", "{{.Id}}");
  const wire::Parameters bad = {{"container", std::string("web")},
                                {"image", std::string("app:sick")}};
  CHECK_FALSE(perform(kAction, bad).verified);
  CHECK(docker("ps -aq --filter name=web.kept-").size() == 25);  // Two: nothing went
  const auto third = inspect("web", "{{.Id}}");
  const wire::Parameters good = {{"container", std::string("web")},
                                 {"image", std::string("app:2")}};
  const auto outcome = perform(kAction, good);
  REQUIRE_MESSAGE(outcome.as_simulated(), outcome.why());
  const auto text = text_of(outcome.seen->diff);
  CHECK(text.find("container " + kept_name() + ": kept, stopped -> removed") != std::string::npos);
  CHECK(text.find("container web.kept-" + second.substr(0, 12) + ": kept, stopped -> removed") !=
        std::string::npos);
  CHECK(containers() == "web\nweb.kept-" + third.substr(0, 12));
  CHECK(docker("exec web cat /data/file") == "kept");
}

TEST_CASE_FIXTURE(Fixture, "an engine that is away: an error, and the next time it is put right") {
  run_web();
  const auto seen = assess(kAction, kTo1);
  REQUIRE(seen);
  auto run = begin();
  CHECK_FALSE(cut(3, [&] { return action(kAction).execute(kTo1, *seen, run); }));
  const auto away = cut(0, [&] {
    host().docker_socket = directory() + "/nobody.sock";
    return recover(kAction, *seen);
  });
  CHECK_FALSE(away);
  CHECK(put_right(*seen).find("is back") != std::string::npos);
  check_back();
}
