#include "agent/discovery/systemd_units.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

struct FakeUnit {
  std::string name;
  std::string description;
  std::string load;
  std::string active;
  std::string sub;
  std::uint32_t main_pid = 0;
  std::uint32_t restarts = 0;
};

// A systemd on a socket of its own, speaking the real protocol through libsystemd's server side.
class FakeSystemd {
 public:
  FakeSystemd(std::string path, std::vector<FakeUnit> units, bool answers = true)
      : units_(std::move(units)), answers_(answers) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 5) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeSystemd() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
  }
  int calls() const { return calls_; }

 private:
  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
    auto* self = static_cast<FakeSystemd*>(userdata);
    if (!self->answers_) return 1;
    if (sd_bus_message_is_method_call(message, "org.freedesktop.systemd1.Manager", "ListUnits") >
        0) {
      return self->list(message);
    }
    if (sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get") > 0) {
      return self->get(message);
    }
    return 0;
  }
  int list(sd_bus_message* call) {
    ++calls_;
    sd_bus_message* reply = nullptr;
    sd_bus_message_new_method_return(call, &reply);
    sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
    for (std::size_t i = 0; i < units_.size(); ++i) {
      const auto& unit = units_[i];
      const std::string path = "/org/freedesktop/systemd1/unit/u" + std::to_string(i);
      sd_bus_message_append(reply, "(ssssssouso)", unit.name.c_str(), unit.description.c_str(),
                            unit.load.c_str(), unit.active.c_str(), unit.sub.c_str(), "",
                            path.c_str(), 0, "", "/");
    }
    sd_bus_message_close_container(reply);
    sd_bus_send(nullptr, reply, nullptr);
    sd_bus_message_unref(reply);
    return 1;
  }
  int get(sd_bus_message* call) {
    ++calls_;
    const char* interface = nullptr;
    const char* property = nullptr;
    sd_bus_message_read(call, "ss", &interface, &property);
    if (std::string_view(property) == "Version")
      return sd_bus_reply_method_return(call, "v", "s", "252.39-1~deb12u2");
    const std::string path = sd_bus_message_get_path(call);
    const std::size_t index = std::stoul(path.substr(path.rfind('u') + 1));
    const auto& unit = units_.at(index);
    return sd_bus_reply_method_return(
        call, "v", "u", std::string_view(property) == "MainPID" ? unit.main_pid : unit.restarts);
  }

  void serve() {
    while (!stop_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 10) <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) talk(fd);
    }
  }
  void talk(int fd) {
    sd_bus* bus = nullptr;
    sd_id128_t id{};
    sd_id128_randomize(&id);
    sd_bus_new(&bus);
    sd_bus_set_fd(bus, fd, fd);
    sd_bus_set_server(bus, 1, id);
    sd_bus_set_anonymous(bus, 1);
    sd_bus_set_trusted(bus, 1);
    sd_bus_start(bus);
    sd_bus_add_filter(bus, nullptr, on_message, this);
    while (!stop_) {
      const int done = sd_bus_process(bus, nullptr);
      if (done < 0) break;
      if (done == 0) sd_bus_wait(bus, 10'000);
    }
    sd_bus_close_unref(bus);
  }

  const std::vector<FakeUnit> units_;
  const bool answers_;
  int listener_ = -1;
  std::atomic<bool> stop_ = false;
  std::atomic<int> calls_ = 0;
  std::thread thread_;
};

struct Fixture {
  test::TempDir dir;
  Paths paths{"/proc", "/sys", dir.path()};
  SystemdOptions options{"unix:path=" + (dir / "bus"), 2'000'000};
  Fixture() { std::filesystem::create_directories(dir / "run/systemd/system"); }
};

}  // namespace

TEST_CASE("a host without systemd says so") {
  test::TempDir dir;
  const auto state = read_systemd(Paths{"/proc", "/sys", dir.path()}, {});
  REQUIRE(state);
  CHECK(state->version == "not running");
  CHECK(state->units.empty());
}

TEST_CASE_FIXTURE(Fixture, "services with their states, main pids and restarts") {
  FakeSystemd systemd(dir / "bus",
                      {{"ssh.service", "Shell", "loaded", "active", "running", 77, 2},
                       {"crash.service", "Crasher", "loaded", "failed", "failed", 0, 9},
                       {"setup.service", "Once", "loaded", "active", "exited", 5, 5},
                       {"idle.service", "Idle", "loaded", "inactive", "dead", 6, 6},
                       {"absent.service", "absent.service", "not-found", "inactive", "dead"},
                       {"tmp.mount", "/tmp", "loaded", "active", "mounted"},
                       {".service", "", "loaded", "active", "running"}});
  const auto state = read_systemd(paths, options);
  REQUIRE_MESSAGE(state, (state ? "" : state.error().message()));
  CHECK(state->version == "252");
  REQUIRE(state->units.size() == 4);
  CHECK(state->units[0] == wire::SystemdUnit{"crash.service", "Crasher", "failed", "failed", 0, 9});
  CHECK(state->units[1] == wire::SystemdUnit{"idle.service", "Idle", "inactive", "dead", 0, 0});
  CHECK(state->units[2] == wire::SystemdUnit{"setup.service", "Once", "active", "exited", 0, 0});
  CHECK(state->units[3] == wire::SystemdUnit{"ssh.service", "Shell", "active", "running", 77, 2});
}

TEST_CASE_FIXTURE(Fixture, "units beyond the limit are counted, details asked only so often") {
  std::vector<FakeUnit> units;
  for (std::size_t i = 0; i < kMaxUnits + 3; ++i) {
    units.push_back(
        {"s" + std::to_string(i) + ".service", "", "loaded", "active", "running", 1, 0});
  }
  FakeSystemd systemd(dir / "bus", units);
  const auto state = read_systemd(paths, options);
  REQUIRE(state);
  CHECK(state->units.size() == kMaxUnits);
  CHECK(state->over_limit == 3);
  CHECK(systemd.calls() == static_cast<int>(2 + 2 * kMaxUnitDetails));
}

TEST_CASE_FIXTURE(Fixture, "a systemd that is not there or does not answer") {
  const auto absent = read_systemd(paths, options);
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code() == Errc::kUnavailable);
  FakeSystemd systemd(dir / "bus", {}, false);
  options.call_timeout_us = 20'000;
  const auto silent = read_systemd(paths, options);
  REQUIRE_FALSE(silent);
  CHECK(silent.error().code() == Errc::kTimeout);
}
