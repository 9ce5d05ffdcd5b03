// Who approved a batch. A signature is verified once for each root version and then known by the hash of
// its envelope, so that ten thousand commands of one batch cost two verifications. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "protocol/base/result.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane::signer {

inline constexpr std::size_t kMaxKnownApprovals = 4096;  // Then all are verified anew

class Approvals {
 public:
  // From then on the approvers of `root` count, and nothing that was verified before.
  void trust(const signing::RootMetadata& root);

  // kDenied unless every approval of `command` holds for exactly this batch at `now_ms`, none is the
  // requester's, and they are of as many distinct persons as the tier of `intent` needs.
  Result<void> check(const wire::Command& command, const wire::Intent& intent, std::int64_t now_ms);

  std::uint64_t verified() const { return verified_; }  // Signatures, for tests

 private:
  struct Known {
    wire::Approval approval;
    std::string person;
  };
  Result<const Known*> look_up(const std::string& envelope);

  std::vector<signing::VerifyKey> keys_;
  std::map<signing::VerifyKey, std::string> persons_;
  std::unordered_map<std::string, Known> known_;  // By sha256 of the envelope
  std::uint64_t verified_ = 0;
};

// Distinct persons beside the requester. Tiers: protocol/actions/manifest.h.
std::size_t approvals_needed(std::uint32_t tier);

}  // namespace observeai::controlplane::signer
