#include "agent/journal/journal_route.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

JournalEntry service(const std::string& unit) {
  JournalEntry entry;
  entry.unit = unit;
  entry.transport = "stdout";
  entry.identifier = "prog";
  entry.pid = 42;
  return entry;
}

}  // namespace

TEST_CASE("a service's lines belong to its unit, as the inventory names it") {
  for (const char* unit : {"nginx.service", "getty@tty1.service", "user@1000.service",
                           "systemd-fsck@dev-disk-by\\x2duuid.service", "run-parts.service"}) {
    const auto to = route(service(unit));
    CHECK(to.target == std::string("unit/") + unit);
    CHECK(to.selector == unit);
    CHECK_FALSE(to.wants_prefix);
    CHECK(to.stream == wire::LogStream::kOther);
  }
}

TEST_CASE("what has no lasting service belongs to the host, and says who wrote it") {
  for (const char* unit : {"", "session-3.scope", "init.scope", "run-u12.service",
                           "run-r0123456789abcdef0123456789abcdef.service", "run-p31-i32.service",
                           "dev-sda1.mount", ".service", "bad name.service"}) {
    const auto to = route(service(unit));
    CHECK_MESSAGE(to.target == "host", unit);
    CHECK(to.wants_prefix);
  }
  CHECK(line_prefix(service("")) == "prog[42]: ");
  JournalEntry nobody;
  CHECK(line_prefix(nobody) == "unknown: ");
  CHECK(route(service("")).selector == "prog");
  CHECK(route(service("session-3.scope")).selector == "session-3.scope");
}

TEST_CASE("the kernel is the host") {
  JournalEntry entry;
  entry.transport = "kernel";
  entry.identifier = "kernel";
  const auto to = route(entry);
  CHECK(to.target == "host");
  CHECK(to.selector == "kernel");
  CHECK(line_prefix(entry) == "kernel: ");
}

TEST_CASE("what the manager says about a service belongs to the service") {
  JournalEntry entry;
  entry.unit = "init.scope";
  entry.about_unit = "nginx.service";
  entry.identifier = "systemd";
  entry.pid = 1;
  entry.is_root = true;
  CHECK(route(entry).target == "unit/nginx.service");
  CHECK(route(entry).wants_prefix);
  CHECK(line_prefix(entry) == "systemd[1]: ");
  // Anyone can write UNIT=.
  entry.pid = 99;
  CHECK(route(entry).target == "host");
  entry.pid = 1;
  entry.is_root = false;
  CHECK(route(entry).target == "host");
}

TEST_CASE("Docker's journald driver: container and stream") {
  auto entry = service("docker.service");
  entry.container_id = std::string(64, 'c');
  entry.is_root = true;
  entry.priority = 6;
  CHECK(route(entry).target == "container/" + entry.container_id);
  CHECK(route(entry).stream == wire::LogStream::kStdout);
  entry.priority = 3;
  CHECK(route(entry).stream == wire::LogStream::kStderr);
  CHECK_FALSE(route(entry).wants_prefix);
  // Not believed of others, nor when it is no id.
  entry.is_root = false;
  CHECK(route(entry).target == "unit/docker.service");
  entry.is_root = true;
  entry.container_id = "../../host";
  CHECK(route(entry).target == "unit/docker.service");
}

TEST_CASE("templates") {
  CHECK(template_of("sshd@12-10.0.0.1:22-10.0.0.2:999.service") == "sshd@.service");
  CHECK(template_of("sshd@.service") == "");
  CHECK(template_of("nginx.service") == "");
}

TEST_CASE("patterns") {
  CHECK(matches("nginx.service", "nginx.service"));
  CHECK_FALSE(matches("nginx", "nginx.service"));
  CHECK(matches("nginx*", "nginx.service"));
  CHECK(matches("*", ""));
  CHECK(matches("*@*.service", "getty@tty1.service"));
  CHECK(matches("a?c", "abc"));
  CHECK_FALSE(matches("a?c", "ac"));
  CHECK_FALSE(matches("", "a"));
  CHECK(matches("*a*b*", "xaxxbx"));
  CHECK_FALSE(matches("*a*b", "xaxxbx"));
  CHECK(matches("**.service", "x.service"));
  // No blow-up: each star is tried once for each place.
  CHECK_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(10'000, 'a')));
}
