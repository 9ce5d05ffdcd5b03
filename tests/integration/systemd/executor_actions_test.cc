// Every kind of action through the unit as it is shipped: its sandbox breaks none of them.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "agent/executor/actions/process_stat.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "tests/integration/systemd/unit_rig.h"

using namespace observeai;
using test::call;
using test::shown;
using test::wait_until;
namespace fs = std::filesystem;

namespace {

struct ActionsRig : test::UnitRig {
  ActionsRig() {
    enroll();
    call({"/usr/bin/systemctl", "start", "observeai-executor.socket"});
    // An address of the host that is not the loopback.
    call({"/usr/sbin/ip", "address", "replace", "10.99.0.1/32", "dev", "lo"});
  }
  // A unit as a site has one, started.
  static void start(const std::string& name, const std::string& service) {
    test::write("/run/systemd/system/" + name, "[Service]\n" + service);
    call({"/usr/bin/systemctl", "daemon-reload"});
    test::outcome_of({"/usr/bin/systemctl", "start", name});
  }
  void list_runbook(const std::string& name, const std::string& text) const {
    const std::string path = "/usr/local/lib/site/" + name;
    test::write(path, text, 0755);
    allow("[runbook." + name + "]\npath = \"" + path + "\"\nsha256 = \"" +
          signing::sha256_hex(text) + "\"\n");
  }
};

void write_old(const std::string& path, const char* owner) {
  test::write(path, "old\n", 0600);
  struct timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  call({"/usr/bin/chown", owner, path});
}

}  // namespace

TEST_CASE_FIXTURE(ActionsRig, "collect.diagnostics: every part of the host") {
  // As on a host; containers have none.
  (void)::mknod("/dev/kmsg", S_IFCHR | 0644, makedev(1, 11));
  const auto told = carry_out("collect.diagnostics", {}).output;
  for (const char* part :
       {"load: ", "memory: MemTotal", "disk: ", "processes: ", "by memory: ", "by CPU: ", "oom: "})
    CHECK_MESSAGE(told.find(part) != std::string::npos, part);
  // Of everybody's processes, not of its own alone.
  CHECK(told.find("systemd-journal") != std::string::npos);
  CHECK(told.find("kernel's log cannot be read") == std::string::npos);
  // The host's file systems, not those of its own sandbox.
  CHECK(told.find("/run/systemd/incoming") == std::string::npos);
}

TEST_CASE_FIXTURE(ActionsRig, "systemd.restart and systemd.reset_failed") {
  start("site.service", "ExecStart=/bin/sleep 3600\n");
  const auto before = shown("site.service", "InvocationID");
  carry_out("systemd.restart", {{"unit", std::string("site.service")}});
  CHECK(shown("site.service", "InvocationID") != before);

  start("broken.service", "Type=oneshot\nExecStart=/bin/false\n");
  REQUIRE(shown("broken.service", "ActiveState") == "failed");
  carry_out("systemd.reset_failed", {{"unit", std::string("broken.service")}});
  CHECK(shown("broken.service", "ActiveState") == "inactive");
}

TEST_CASE_FIXTURE(ActionsRig, "process.terminate: of another user, and of root with capabilities") {
  for (const std::string user : {"nobody", "root"}) {
    CAPTURE(user);
    start("victim.service", "User=" + user + "\nExecStart=/bin/sleep 3600\n");
    const auto pid = *text::parse_u64(shown("victim.service", "MainPID"));
    const auto stat = agent::executor::read_process_stat("/proc", static_cast<std::int64_t>(pid));
    REQUIRE(stat.has_value());
    carry_out("process.terminate",
              {{"pid", static_cast<std::int64_t>(pid)}, {"start_ticks", stat->start_ticks}});
    wait_until("the unit has ended",
               [] { return shown("victim.service", "ActiveState") == "inactive"; });
  }
}

TEST_CASE_FIXTURE(ActionsRig, "disk.vacuum_files: wherever logs may lie, of whatever owner") {
  for (const std::string folder :
       {"/var/log/site", "/srv/site/log", "/home/site/log", "/opt/site/log", "/tmp/site-log"}) {
    CAPTURE(folder);
    write_old(folder + "/app.log.1", "nobody");
    write_old(folder + "/app.log", "nobody");
    ::chmod(folder.c_str(), 0700);
    call({"/usr/bin/chown", "nobody", folder});
    allow("[vacuum]\ndirectories = [\"" + folder + "\"]\n");
    carry_out("disk.vacuum_files", {{"directory", folder}, {"older_than_h", std::int64_t{24}}});
    CHECK_FALSE(files::exists(folder + "/app.log.1"));
    CHECK(files::exists(folder + "/app.log"));
  }
}

TEST_CASE_FIXTURE(ActionsRig, "disk.vacuum_journal") {
  for (int i = 0; i < 4; ++i) {
    call({"/bin/sh", "-c", "head -c 4000000 /dev/urandom | base64 -w 900 | systemd-cat -t fill"});
    call({"/usr/bin/journalctl", "--sync"});
    call({"/usr/bin/journalctl", "--rotate"});
  }
  // journald may still be at work on the youngest; then the approval is void and is asked for again.
  wire::CommandResult result;
  for (int i = 0; i < 10 && (i == 0 || result.reason == "stale"); ++i)
    result = attempt("disk.vacuum_journal", {{"keep_bytes", std::int64_t{9 << 20}}});
  REQUIRE_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded, result.message);
  REQUIRE(result.diff.size() >= 1);
  for (const auto& change : result.diff) CHECK_FALSE(files::exists(change.what));
}

TEST_CASE_FIXTURE(ActionsRig,
                  "cache.clear over TCP and over a unix socket, and not over the network") {
  start("redis-test.service",
        "User=redis\nRuntimeDirectory=redis-test\nExecStart=/usr/bin/redis-server --port 6399 "
        "--bind 127.0.0.1 "
        "10.99.0.1 --protected-mode no --save \"\" --unixsocket /run/redis-test/redis.sock "
        "--unixsocketperm 700\n");
  const auto redis = [](const std::vector<std::string>& words) {
    std::vector<std::string> argv = {"/usr/bin/redis-cli", "-h", "10.99.0.1", "-p", "6399"};
    argv.insert(argv.end(), words.begin(), words.end());
    return test::outcome_of(argv);
  };
  wait_until("redis answers", [&] { return redis({"PING"}).output == "PONG\n"; });
  std::string policy;
  for (const std::string one :
       {"tcp 127.0.0.1:6399", "unix unix:/run/redis-test/redis.sock", "far 10.99.0.1:6399"}) {
    const auto space = one.find(' ');
    policy += "[cache." + one.substr(0, space) + "]\naddress = \"" + one.substr(space + 1) +
              "\"\nprefixes = [\"session:\"]\n";
  }
  allow(policy);
  const auto clear = [](const std::string& cache) {
    return wire::Parameters{{"cache", cache}, {"prefix", std::string("session:")}};
  };
  for (const std::string cache : {"tcp", "unix"}) {
    CAPTURE(cache);
    REQUIRE(redis({"MSET", "session:1", "a", "session:2", "b", "kept", "c"}).output == "OK\n");
    carry_out("cache.clear", clear(cache));
    CHECK(redis({"DBSIZE"}).output == "1\n");
  }
  // The host's own address is network: the owner of the host opens it with a drop-in.
  const auto far = attempt("cache.clear", clear("far"));
  CHECK(far.outcome == wire::ResultOutcome::kRefused);
  CHECK(far.message.find("10.99.0.1:6399") != std::string::npos);
  std::cout << "a cache that is not on the loopback: " << far.message << "\n";
}

TEST_CASE_FIXTURE(ActionsRig,
                  "runbook: a script, another user, memory that is written and run, no network") {
  list_runbook("good", R"(#!/bin/sh
set -e
id -u
setpriv --reuid=nobody --regid=nogroup --clear-groups id -un
systemctl is-active observeai-executor.socket
mkdir -p /var/lib/site && echo done >/var/lib/site/mark
python3 -c 'from mmap import *; mmap(-1, 4096, prot=PROT_READ | PROT_WRITE | PROT_EXEC); print("jit")'
)");
  CHECK(carry_out("runbook", {{"runbook", std::string("good")}}).output ==
        "0\nnobody\nactive\njit\n");
  CHECK(files::read("/var/lib/site/mark").value_or("") == "done\n");

  list_runbook("outside", R"(#!/usr/bin/python3
import socket
for address in ("127.0.0.1", "10.99.0.1"):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"out", (address, 9))
        print("sent to " + address)
    except OSError as error:
        print(error.strerror)
for path in ("/usr/bin/evil", "/etc/evil", "/sys/kernel/evil"):
    try:
        open(path, "w")
        print("written")
    except OSError as error:
        print(error.strerror)
)");
  const auto outside = carry_out("runbook", {{"runbook", std::string("outside")}}).output;
  CHECK(outside ==
        "sent to 127.0.0.1\nOperation not permitted\nRead-only file system\nRead-only file system\n"
        "Read-only file system\n");
}
