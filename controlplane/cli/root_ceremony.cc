#include "controlplane/cli/root_ceremony.h"

#include <unistd.h>

#include <algorithm>

#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane::cli {
namespace {

std::string draft_path(const std::string& directory) {
  return directory + "/root-metadata.draft";
}

Result<std::optional<Draft>> read_draft(const std::string& directory) {
  const auto bytes = files::read(draft_path(directory), wire::kMaxEnvelopeBytes);
  if (!bytes && bytes.error().code() == Errc::kNotFound) return std::optional<Draft>();
  if (!bytes) return bytes.error();
  Draft draft;
  TRY(draft.envelope, wire::decode_envelope(*bytes));
  TRY(draft.root, wire::decode_root(draft.envelope.payload));
  return std::optional<Draft>(std::move(draft));
}

Signatures count(const signing::RootMetadata& by, const signing::SignedEnvelope& envelope) {
  Signatures out;
  out.version = by.version;
  out.needed = by.root_threshold;
  // None at all is an answer too.
  out.given = signing::verify(envelope, signing::kRootType, 1, by.root_keys)
                  .value_or(std::vector<signing::VerifyKey>());
  for (const auto& key : by.root_keys) {
    if (std::find(out.given.begin(), out.given.end(), key) == out.given.end())
      out.open.push_back(key);
  }
  return out;
}

}  // namespace

Result<RootFolder> RootFolder::open(const std::string& directory) {
  auto chain = RootChain::open(directory);
  if (!chain && chain.error().code() != Errc::kNotFound) return std::move(chain).error();
  TRY(auto draft, read_draft(directory));
  return RootFolder(directory, chain ? std::move(*chain) : nullptr, std::move(draft));
}

std::vector<Signatures> RootFolder::signatures() const {
  std::vector<Signatures> out;
  if (!draft_) return out;
  if (chain_) out.push_back(count(chain_->newest(), draft_->envelope));
  out.push_back(count(draft_->root, draft_->envelope));
  return out;
}

Result<void> RootFolder::save(signing::RootMetadata root) {
  Draft draft;
  draft.envelope.type = signing::kRootType;
  draft.envelope.payload = wire::encode_root(root);
  draft.root = std::move(root);
  TRY_VOID(files::make_directories(directory_, 0700));
  TRY_VOID(
      files::write_atomic(draft_path(directory_), wire::encode_envelope(draft.envelope), 0644));
  draft_ = std::move(draft);
  return {};
}

Result<void> RootFolder::begin(signing::RootMetadata root) {
  if (chain_ || draft_) return Error(Errc::kInvalid, directory_ + " has a root of trust already");
  return save(std::move(root));
}

Result<void> RootFolder::change(const std::function<Result<void>(signing::RootMetadata&)>& change) {
  if (!chain_ && !draft_) {
    return Error(Errc::kInvalid, "there is no root metadata in " + directory_ +
                                     "; begin with: observeai root init, or observeai root fetch");
  }
  signing::RootMetadata root = draft_ ? draft_->root : chain_->newest();
  if (!draft_) ++root.version;
  TRY_VOID(change(root));
  return save(std::move(root));
}

Result<bool> RootFolder::sign(const signing::SigningKeyPair& key) {
  if (!draft_) return Error(Errc::kInvalid, "there is no draft to sign in " + directory_);
  TRY_VOID(signing::check_root(draft_->root));
  bool may = false;
  bool has = true;
  for (const auto& one : signatures()) {
    const auto is = [&](const auto& list) {
      return std::find(list.begin(), list.end(), key.public_key()) != list.end();
    };
    may = may || is(one.open) || is(one.given);
    has = has && !is(one.open);
  }
  if (!may) {
    return Error(Errc::kDenied,
                 "key " + key.id().value() +
                     " is a root key neither of the version in force nor of the draft");
  }
  if (has) return Error(Errc::kInvalid, "key " + key.id().value() + " has signed this draft");
  Draft next = *draft_;
  signing::add_signature(next.envelope, key);
  const auto bytes = wire::encode_envelope(next.envelope);
  TRY_VOID(files::write_atomic(draft_path(directory_), bytes, 0644));
  draft_ = std::move(next);
  const auto open = signatures();
  if (!std::all_of(open.begin(), open.end(), [](const auto& one) { return one.complete(); }))
    return false;
  if (chain_) {
    TRY_VOID(chain_->take({bytes}));
  } else {
    TRY(chain_, RootChain::begin(directory_, bytes));
  }
  TRY_VOID(drop_draft());
  return true;
}

Result<void> RootFolder::drop_draft() {
  draft_.reset();
  if (::unlink(draft_path(directory_).c_str()) == 0) return {};
  return files::from_errno("cannot remove " + draft_path(directory_), errno);
}

Result<signing::VerifyKey> find_key(const std::vector<signing::VerifyKey>& keys,
                                    const std::string& name) {
  for (const auto& key : keys) {
    if (signing::to_text(key) == name || signing::key_id(key).value() == name) return key;
  }
  return Error(Errc::kNotFound, "there is no key " + text::escape_unprintable(name, 80));
}

}  // namespace observeai::controlplane::cli
