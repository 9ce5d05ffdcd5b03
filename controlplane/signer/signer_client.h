// CommandSigner over the signer's socket. Connects when it is asked, again after every failure.
#pragma once

#include <chrono>
#include <string>

#include "controlplane/signer/command_signer.h"
#include "controlplane/signer/frames.h"
#include "controlplane/signer/signer_status.h"
#include "controlplane/signer/socket_io.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

// Thread-safe; callers wait for each other. kUnavailable after a request was sent means that it may have
// been done: a command that was so lost is built again under a higher sequence, never sent again.
class SignerClient final : public CommandSigner {
 public:
  struct Options {
    std::string socket;
    std::chrono::milliseconds patience{10'000};  // For each frame: at most 1024 commands
  };
  explicit SignerClient(Options options) : options_(std::move(options)) {}

  Result<std::vector<Result<std::string>>> sign_commands(
      std::span<const std::string> commands) override;
  Result<std::string> sign_time(const wire::TimeStatement& time) override;
  Result<std::string> sign_audit_head(const wire::AuditHead& head) override;
  Result<void> take_roots(std::span<const std::string> roots) override;
  Result<void> revoke_agent(const AgentId& agent) override;
  Result<signer::SignerStatus> status();

 private:
  Result<signer::Frame> ask(signer::FrameKind kind, std::string_view body,
                            signer::FrameKind expected) EXCLUDES(mutex_);
  Result<signer::Frame> exchange(signer::FrameKind kind, std::string_view body) REQUIRES(mutex_);
  Result<void> sign_some(std::span<const std::string> commands,
                         std::vector<Result<std::string>>& outcomes);

  const Options options_;
  Mutex mutex_;
  signer::Descriptor socket_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
