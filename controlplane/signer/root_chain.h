// All versions of the root metadata that this side knows, as files root-metadata.v<N> from 1 on. Each
// was verified as the successor of the one before when it was taken, and again at every start. Expiry
// is for who uses it: an expired root is followed all the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/thread_annotations.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::controlplane {

// Thread-safe. One object for each folder.
class RootChain {
 public:
  // kNotFound: there is no version 1. kCorrupt, kDenied: a file that is damaged, or no successor of the
  // one before; nothing is left out silently.
  static Result<std::unique_ptr<RootChain>> open(const std::string& directory);
  // Makes the folder (mode 0700) with this as version 1, which is believed because of who hands it in.
  // kInvalid: the folder has a chain; kDenied: not version 1, not signed by its own threshold.
  static Result<std::unique_ptr<RootChain>> begin(const std::string& directory,
                                                  std::string_view envelope);

  signing::RootMetadata newest() const;
  std::string newest_envelope() const;
  // As signed, ascending; 0: all of them.
  std::vector<std::string> envelopes_after(std::uint64_t version) const;
  // The one of this version as signed, "" when there is none.
  std::string envelope_of(std::uint64_t version) const;

  // Takes what is new of `envelopes` (versions ascending), one by one, each on disk before it counts.
  // Returns how many were new. kDenied: no successor of the newest, or other bytes under a version that
  // is known.
  Result<std::size_t> take(const std::vector<std::string>& envelopes);
  // Whether `envelope` would be taken; what it says. Changes nothing.
  Result<signing::RootMetadata> check(std::string_view envelope) const;

 private:
  explicit RootChain(std::string directory) : directory_(std::move(directory)) {}
  Result<signing::RootMetadata> successor(std::string_view envelope) const REQUIRES(mutex_);

  const std::string directory_;
  mutable Mutex mutex_;
  std::vector<std::string> envelopes_ GUARDED_BY(mutex_);  // Version N at N - 1
  signing::RootMetadata newest_ GUARDED_BY(mutex_);
};

// Of the bytes of an envelope, verified or not. kCorrupt.
Result<signing::RootMetadata> read_root(std::string_view envelope);

}  // namespace observeai::controlplane
