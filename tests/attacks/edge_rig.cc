#include "edge_rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace observeai::test {

namespace fs = std::filesystem;

EdgeRig::EdgeRig() {
  stop();
  const int file = ::open(path("edges").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  REQUIRE(::ftruncate(file, sizeof(edges)) == 0);
  void* mapped = ::mmap(nullptr, sizeof(edges), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  REQUIRE(mapped != MAP_FAILED);
  edges_ = static_cast<edges*>(mapped);
  const std::string preload = OBSERVEAI_EDGELIB;
  environment = {"LD_PRELOAD=" + preload, "OBSERVEAI_EDGES=" + path("edges"),
                 "ASAN_OPTIONS=verify_asan_link_order=0"};
  // Orphans of the program become ours: their end can be waited for.
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  start();
}

EdgeRig::~EdgeRig() {
  kill_now();
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  ::munmap(edges_, sizeof *edges_);
}

void EdgeRig::arm(int edge) {
  armed_ = edge;
  edges_->killed = 0;
  edges_->count = 0;
  __atomic_store_n(&edges_->kill_at, edge, __ATOMIC_SEQ_CST);
}

bool EdgeRig::disarm() {
  int expected = armed_;
  return armed_ == 0 || __atomic_compare_exchange_n(&edges_->kill_at, &expected, 0, false,
                                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void EdgeRig::wait_until_dead() {
  if (pid() > 0) wait_for_end();
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  CHECK(edges_->killed == 1);
}

std::vector<std::string> EdgeRig::passed() const {
  std::vector<std::string> out;
  const int count = edges_->count;
  REQUIRE(count <= kMaxEdges);
  for (int i = 0; i < count; ++i) out.emplace_back(edges_->names[i]);
  return out;
}

std::string EdgeRig::edge() const {
  return std::to_string(armed_) + ": " + edges_->names[armed_ - 1];
}

std::optional<agent::executor::Ledger::State> EdgeRig::state_of(const wire::Bytes16& id) const {
  fs::remove_all(path("looked-at"));
  fs::create_directory(path("looked-at"));
  for (const auto& entry : fs::directory_iterator(path("state"))) {
    const std::string name = entry.path().filename();
    if (name.starts_with("ledger.db")) fs::copy_file(entry.path(), path("looked-at/" + name));
  }
  auto ledger = agent::executor::Ledger::open(path("looked-at/ledger.db"),
                                              wire::enrollment_id(keys.result_key.public_key()));
  REQUIRE_MESSAGE(ledger, (ledger ? "" : ledger.error().message()));
  const auto known = ledger->find(id);
  REQUIRE(known);
  if (!*known) return std::nullopt;
  return (*known)->state;
}

std::vector<wire::CommandResult> EdgeRig::told(const wire::Bytes16& id) const {
  auto results = waiting_results();
  std::erase_if(results, [&id](const auto& result) { return result.command_id != id; });
  return results;
}

void EdgeRig::acknowledge() const {
  const auto reply = ask(FrameKind::kResults);
  const auto items = agent::executor::decode_list(reply.body);
  REQUIRE(items);
  std::string digests;
  for (const auto& item : *items) {
    const auto digest = wire::digest_of(item);
    digests.append(digest.begin(), digest.end());
  }
  CHECK(ask(FrameKind::kSpooled, digests).kind == FrameKind::kDone);
}

}  // namespace observeai::test
