#include "controlplane/signer/root_chain.h"

#include "protocol/base/files.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane {
namespace {

std::string path_of(const std::string& directory, std::uint64_t version) {
  return directory + "/root-metadata.v" + std::to_string(version);
}

// Believed because of where it comes from, so its own hash is the pin.
Result<signing::RootMetadata> first_root(std::string_view envelope) {
  TRY(auto first, wire::verify_pinned_root(envelope, signing::sha256_hex(envelope), 0));
  if (first.root.version == 1) return std::move(first.root);
  return Error(Errc::kDenied, "a chain of root metadata begins with version 1, this is version " +
                                  std::to_string(first.root.version));
}

}  // namespace

Result<signing::RootMetadata> read_root(std::string_view envelope) {
  TRY(const auto opened, wire::decode_envelope(envelope));
  if (opened.type != signing::kRootType)
    return Error(Errc::kCorrupt, "this is no root metadata but " + opened.type);
  return wire::decode_root(opened.payload);
}

Result<std::unique_ptr<RootChain>> RootChain::open(const std::string& directory) {
  std::unique_ptr<RootChain> chain(new RootChain(directory));
  const MutexLock lock(chain->mutex_);
  for (std::uint64_t version = 1;; ++version) {
    const std::string path = path_of(directory, version);
    auto envelope = files::read(path, wire::kMaxEnvelopeBytes);
    if (!envelope && envelope.error().code() == Errc::kNotFound && version > 1) break;
    if (!envelope) return std::move(envelope).error();
    auto root = version == 1 ? first_root(*envelope) : chain->successor(*envelope);
    if (!root) return std::move(root).error().with_context(path);
    chain->newest_ = std::move(*root);
    chain->envelopes_.push_back(std::move(*envelope));
  }
  return chain;
}

Result<std::unique_ptr<RootChain>> RootChain::begin(const std::string& directory,
                                                    std::string_view envelope) {
  TRY(auto root, first_root(envelope));
  if (files::exists(path_of(directory, 1)))
    return Error(Errc::kInvalid, directory + " has a root of trust already");
  TRY_VOID(files::make_directories(directory, 0700));
  TRY_VOID(files::write_atomic(path_of(directory, 1), envelope, 0644));
  std::unique_ptr<RootChain> chain(new RootChain(directory));
  const MutexLock lock(chain->mutex_);
  chain->newest_ = std::move(root);
  chain->envelopes_.emplace_back(envelope);
  return chain;
}

signing::RootMetadata RootChain::newest() const {
  const MutexLock lock(mutex_);
  return newest_;
}

std::string RootChain::newest_envelope() const {
  const MutexLock lock(mutex_);
  return envelopes_.back();
}

std::vector<std::string> RootChain::envelopes_after(std::uint64_t version) const {
  const MutexLock lock(mutex_);
  if (version >= envelopes_.size()) return {};
  return {envelopes_.begin() + static_cast<std::ptrdiff_t>(version), envelopes_.end()};
}

std::string RootChain::envelope_of(std::uint64_t version) const {
  const MutexLock lock(mutex_);
  return version >= 1 && version <= envelopes_.size() ? envelopes_[version - 1] : std::string();
}

Result<signing::RootMetadata> RootChain::successor(std::string_view envelope) const {
  TRY(auto next, wire::verify_next_root(newest_, envelope, 0));
  return std::move(next.root);
}

Result<std::size_t> RootChain::take(const std::vector<std::string>& envelopes) {
  const MutexLock lock(mutex_);
  std::size_t taken = 0;
  for (const auto& envelope : envelopes) {
    TRY(const auto claimed, read_root(envelope));
    if (claimed.version >= 1 && claimed.version <= envelopes_.size()) {
      if (envelopes_[claimed.version - 1] == envelope) continue;
      return Error(Errc::kDenied, "version " + std::to_string(claimed.version) +
                                      " of the root metadata is known with other bytes");
    }
    TRY(auto next, successor(envelope));
    TRY_VOID(files::write_atomic(path_of(directory_, next.version), envelope, 0644));
    newest_ = std::move(next);
    envelopes_.push_back(envelope);
    ++taken;
  }
  return taken;
}

Result<signing::RootMetadata> RootChain::check(std::string_view envelope) const {
  const MutexLock lock(mutex_);
  return successor(envelope);
}

}  // namespace observeai::controlplane
