#include "agent/executor/trust.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include <boost/json.hpp>

#include "agent/executor/guarded_folder.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/key_files.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::agent::executor {
namespace {

namespace json = boost::json;

constexpr int kVersion = 1;
constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;
constexpr std::size_t kMaxDocumentBytes = 4096;
// Far above one new version a day for ten years; bounds what opening reads.
constexpr std::size_t kMaxFiles = 4096;
constexpr std::string_view kDocument = "trust.json";
constexpr std::string_view kResultKey = "result.key";
constexpr std::string_view kRootPrefix = "root.v";
// Expiry is looked at with each command, by the trusted time.
constexpr std::int64_t kNoTime = 0;

std::string in(const std::string& directory, std::string_view name) {
  return directory + "/" + std::string(name);
}

std::string root_name(std::uint64_t version) {
  return std::string(kRootPrefix) + std::to_string(version);
}

std::optional<std::uint64_t> version_of(const std::string& name) {
  if (!name.starts_with(kRootPrefix)) return std::nullopt;
  const auto version = text::parse_u64(std::string_view(name).substr(kRootPrefix.size()));
  if (!version || root_name(*version) != name) return std::nullopt;
  return version;
}

struct Document {
  AgentId agent;
  TenantId tenant;
  std::string root_sha256;
};

std::string encode_document(const NewTrust& trust) {
  json::object object;
  object["version"] = kVersion;
  object["agent"] = trust.agent.value();
  object["tenant"] = trust.tenant.value();
  object["root_sha256"] = trust.root_sha256;
  return json::serialize(object) + "\n";
}

Result<std::string> text_of(const json::object& object, const char* field) {
  const auto* value = object.if_contains(field);
  if (value == nullptr || !value->is_string())
    return Error(Errc::kCorrupt, std::string("field \"") + field + "\" is missing or wrong");
  return std::string(value->get_string());
}

Result<Document> decode_document(const std::string& bytes) {
  boost::system::error_code failed;
  const auto value = json::parse(bytes, failed);
  if (failed || !value.is_object())
    return Error(Errc::kCorrupt, "is damaged: enroll the host again");
  const auto& object = value.get_object();
  const auto* version = object.if_contains("version");
  if (version == nullptr || !version->is_int64() || version->get_int64() != kVersion)
    return Error(Errc::kInvalid, "was made by another version");
  TRY(const auto agent, text_of(object, "agent"));
  TRY(const auto tenant, text_of(object, "tenant"));
  Document document;
  TRY(document.agent, AgentId::parse(agent));
  TRY(document.tenant, TenantId::parse(tenant));
  TRY(document.root_sha256, text_of(object, "root_sha256"));
  return document;
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return files::from_errno("cannot remove " + path, errno);
}

Result<void> forget_roots(const std::string& directory) {
  TRY(const auto folder, GuardedFolder::open(directory, ::geteuid()));
  TRY(const auto names, folder.names(kMaxFiles));
  for (const auto& name : names) {
    if (!version_of(name)) continue;
    TRY_VOID(remove_file(in(directory, name)));
  }
  return {};
}

struct Chain {
  signing::RootMetadata root;
  std::string sha256;
};

// From the pinned one on, each a successor of the one before.
Result<Chain> read_chain(const GuardedFolder& folder, const std::string& pinned_sha256) {
  TRY(const auto names, folder.names(kMaxFiles));
  std::vector<std::uint64_t> versions;
  for (const auto& name : names) {
    if (const auto version = version_of(name)) versions.push_back(*version);
  }
  if (versions.empty())
    return Error(Errc::kCorrupt, folder.path() + " holds no root metadata: enroll the host again");
  std::sort(versions.begin(), versions.end());
  Chain chain;
  for (const auto version : versions) {
    TRY(const auto bytes, folder.read(root_name(version), wire::kMaxEnvelopeBytes));
    auto verified = chain.sha256.empty() ? wire::verify_pinned_root(bytes, pinned_sha256, kNoTime)
                                         : wire::verify_next_root(chain.root, bytes, kNoTime);
    if (!verified) return std::move(verified).error().with_context(root_name(version));
    if (verified->root.version != version)
      return Error(Errc::kCorrupt, root_name(version) + " holds another version");
    chain.root = std::move(verified->root);
    chain.sha256 = signing::sha256_hex(bytes);
  }
  return chain;
}

}  // namespace

Result<void> write_trust(const std::string& directory, const NewTrust& trust) {
  TRY(const auto root, wire::verify_pinned_root(trust.root, trust.root_sha256, kNoTime));
  TRY_VOID(files::make_directories(directory, kFolderMode));
  TRY_VOID(remove_file(in(directory, kDocument)));
  TRY_VOID(forget_roots(directory));
  TRY_VOID(signing::save_signing_key(in(directory, kResultKey), trust.result_key));
  TRY_VOID(files::write_atomic(in(directory, root_name(root.root.version)), trust.root, kFileMode));
  return files::write_atomic(in(directory, kDocument), encode_document(trust), kFileMode);
}

Trust::Trust(std::string directory, AgentId agent, TenantId tenant, signing::SigningKeyPair key)
    : directory_(std::move(directory)),
      agent_(std::move(agent)),
      tenant_(std::move(tenant)),
      result_key_(std::move(key)),
      enrollment_(wire::enrollment_id(result_key_.public_key())) {}

Result<Trust> Trust::open(const std::string& directory, uid_t owner) {
  TRY(const auto folder, GuardedFolder::open(directory, owner));
  TRY(const auto bytes, folder.read(std::string(kDocument), kMaxDocumentBytes));
  auto document = decode_document(bytes);
  if (!document) return std::move(document).error().with_context(in(folder.path(), kDocument));
  // Looked at before it is loaded by its path: nobody else may change what is in this folder.
  TRY_VOID(folder.read(std::string(kResultKey), kMaxDocumentBytes));
  TRY(auto key, signing::load_signing_key(in(folder.path(), kResultKey)));
  TRY(auto chain, read_chain(folder, document->root_sha256));
  Trust trust(folder.path(), std::move(document->agent), std::move(document->tenant),
              std::move(key));
  trust.root_ = std::move(chain.root);
  trust.root_sha256_ = std::move(chain.sha256);
  return trust;
}

Result<void> Trust::take_root(std::string_view envelope) {
  auto sha256 = signing::sha256_hex(envelope);
  if (sha256 == root_sha256_) return {};
  TRY(auto next, wire::verify_next_root(root_, envelope, kNoTime));
  TRY_VOID(files::write_atomic(in(directory_, root_name(next.root.version)), envelope, kFileMode));
  root_ = std::move(next.root);
  root_sha256_ = std::move(sha256);
  return {};
}

}  // namespace observeai::agent::executor
