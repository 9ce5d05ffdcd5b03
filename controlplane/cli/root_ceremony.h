// The root of trust offline, as files in one folder: root-metadata.v<N>, each version as signed, and at
// most one root-metadata.draft, the next version with the signatures it has so far. A change of a draft
// voids its signatures. No network, no control plane.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/signer/root_chain.h"
#include "protocol/base/result.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::controlplane::cli {

struct Draft {
  signing::SignedEnvelope envelope;
  signing::RootMetadata root;
};

// What one version still asks of its root keys.
struct Signatures {
  std::uint64_t version = 0;
  std::size_t needed = 0;
  std::vector<signing::VerifyKey> given;
  std::vector<signing::VerifyKey> open;  // Of the keys that may sign
  bool complete() const { return given.size() >= needed; }
};

class RootFolder {
 public:
  // A folder without any version is fine; a damaged version is an error.
  static Result<RootFolder> open(const std::string& directory);

  const std::string& directory() const { return directory_; }
  const RootChain* chain() const { return chain_.get(); }  // Null: no version yet
  const std::optional<Draft>& draft() const { return draft_; }
  // Of the draft: those of the version in force, if any, then its own.
  std::vector<Signatures> signatures() const;

  // The draft, or else the newest version with the next number, changed by `change`; a draft without
  // signatures. kInvalid: there is nothing to change yet.
  Result<void> change(const std::function<Result<void>(signing::RootMetadata&)>& change);
  // A first draft. kInvalid when the folder has a version or a draft.
  Result<void> begin(signing::RootMetadata root);
  // True: the thresholds hold, and the draft has become a version. kDenied: this key signs neither
  // version; kInvalid: no draft, signed already, or a draft that breaks a rule.
  Result<bool> sign(const signing::SigningKeyPair& key);
  Result<void> drop_draft();

 private:
  RootFolder(std::string directory, std::unique_ptr<RootChain> chain, std::optional<Draft> draft)
      : directory_(std::move(directory)), chain_(std::move(chain)), draft_(std::move(draft)) {}
  Result<void> save(signing::RootMetadata root);

  std::string directory_;
  std::unique_ptr<RootChain> chain_;
  std::optional<Draft> draft_;
};

// A root key that has the id or the text form; kNotFound.
Result<signing::VerifyKey> find_key(const std::vector<signing::VerifyKey>& keys,
                                    const std::string& name);

}  // namespace observeai::controlplane::cli
