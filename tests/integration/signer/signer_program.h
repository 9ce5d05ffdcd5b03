// The real observeai-signer on a folder of its own.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>

#include "controlplane/signer/signer_client.h"
#include "protocol/base/clock.h"
#include "protocol/base/files.h"
#include "protocol/signing/key_files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/batch_fixture.h"

namespace observeai::test {

class SignerProgram {
 public:
  explicit SignerProgram(const std::string& more = "") {
    REQUIRE(files::make_directories(dir_ / "state", 0700));
    REQUIRE(signing::save_signing_key(dir_ / "state/signer.key", acme.signer));
    REQUIRE(signing::save_signing_key(dir_ / "state/audit.key", acme.audit));
    REQUIRE(files::write_atomic(
        config(), "state_dir = \"" + dir_ / "state" + "\"\nsocket = \"" + socket() + "\"\n" + more,
        0644));
    start();
  }
  ~SignerProgram() { kill(SIGKILL); }

  std::string socket() const { return dir_ / "signer.sock"; }
  std::string config() const { return dir_ / "signer.toml"; }
  std::string log() const { return files::read(dir_ / "log").value_or(""); }

  void start() {
    pid_ = ::fork();
    if (pid_ == 0) {
      FILE* log = std::freopen((dir_ / "log").c_str(), "a", stderr);
      ::execl(OBSERVEAI_SIGNER, OBSERVEAI_SIGNER, "run", "--config", config().c_str(), nullptr);
      ::_exit(log != nullptr ? 126 : 127);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    controlplane::SignerClient client({socket()});
    while (!client.status() && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE_MESSAGE(client.status(), log());
  }
  // Returns the exit code, -1 when a signal ended it.
  int kill(int signal) {
    if (pid_ <= 0) return -1;
    ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // An organisation whose dates fit the real clock.
  std::string root(std::uint64_t version = 1) const {
    auto out = acme.root(version);
    out.expires_ms = now_ms() + 90 * kDayMs;
    out.signers[0].delegation.not_after_ms = now_ms() + 30 * kDayMs;
    out.signers[0].delegation.max_targets = 10'000;
    return acme.signed_root(out);
  }
  static std::int64_t now_ms() { return SystemClock().unix_ms(); }

  Organisation acme;

 private:
  TempDir dir_;
  pid_t pid_ = 0;
};

}  // namespace observeai::test
