#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "controlplane/app/admin_socket.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane;
using std::chrono::seconds;

namespace {

Result<std::string> echo(const std::string& request) {
  if (request == "no") return Error(Errc::kInvalid, "not that");
  return "heard " + request;
}

}  // namespace

TEST_CASE("one line asked, one answered; an error is an error at the other end") {
  test::TempDir dir;
  CHECK(ask_controlplane(dir.path(), "ping", seconds(5)).error().code() == Errc::kUnavailable);
  const auto socket = AdminSocket::open(dir.path(), echo).value();
  CHECK(ask_controlplane(dir.path(), "ping", seconds(5)).value() == "heard ping");
  const auto refused = ask_controlplane(dir.path(), "no", seconds(5));
  CHECK(refused.error().code() == Errc::kDenied);
  CHECK(refused.error().message() == "not that");
}

TEST_CASE("a second control plane is refused and takes nothing from the first") {
  test::TempDir dir;
  auto first = AdminSocket::open(dir.path(), echo).value();
  const auto second = AdminSocket::open(dir.path(), echo);
  REQUIRE(!second.has_value());
  CHECK(second.error().code() == Errc::kUnavailable);
  CHECK(second.error().message().find("another control plane is running on") != std::string::npos);
  CHECK(ask_controlplane(dir.path(), "ping", seconds(5)));
  first.reset();
  CHECK(AdminSocket::open(dir.path(), echo));
}

TEST_CASE("of many that start at once exactly one gets the folder, and it can be asked") {
  constexpr int kStarts = 8;
  for (int round = 0; round < 50; ++round) {
    test::TempDir dir;
    std::array<std::unique_ptr<AdminSocket>, kStarts> sockets;
    std::latch ready(kStarts);
    std::latch all_tried(kStarts);
    std::atomic<int> lost_early = 0;
    std::vector<std::thread> starts;
    for (auto& socket : sockets) {
      starts.emplace_back([&] {
        ready.arrive_and_wait();
        auto opened = AdminSocket::open(dir.path(), echo);
        all_tried.arrive_and_wait();
        if (opened) {
          socket = std::move(*opened);
        } else {
          ++lost_early;
        }
      });
    }
    for (auto& start : starts) start.join();
    CHECK(lost_early == kStarts - 1);
    CHECK(ask_controlplane(dir.path(), "ping", seconds(5)));
  }
}
