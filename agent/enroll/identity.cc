#include "agent/enroll/identity.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "agent/enroll/identity_document.h"
#include "protocol/base/files.h"
#include "protocol/signing/key_files.h"

namespace observeai::agent {

namespace {

constexpr std::size_t kMaxDocumentBytes = 64U << 10;
constexpr std::size_t kMaxPemBytes = 64U << 10;
constexpr std::size_t kMaxRootMetadataBytes = 1U << 20;

constexpr const char* kDocument = "identity.json";
constexpr const char* kSealing = "sealing.key";
constexpr const char* kResult = "result.key";
constexpr const char* kRoot = "root.metadata";
// In next/
constexpr const char* kToken = "token-id";
constexpr const char* kTls = "tls.key";
constexpr const char* kRenewal = "renewal.key";

// An identity without one of its parts cannot be repaired on this host.
Error damaged(const std::string& path, const Error& error) {
  const auto code = error.code() == Errc::kDenied ? Errc::kDenied : Errc::kCorrupt;
  const char* advice =
      code == Errc::kDenied ? "" : "; restore it or enroll again with a new token (enroll --force)";
  const bool named = error.message().find(path) != std::string::npos;
  return Error(code,
               "identity: " + (named ? std::string() : path + ": ") + error.message() + advice);
}

template <class T>
Result<T> part(const std::string& path, Result<T> value) {
  if (!value) return damaged(path, value.error());
  return value;
}

Result<void> remove(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return files::from_errno("cannot remove " + path, error.value());
  return {};
}

Result<signing::KeyAgreementPair> load_sealing(const std::string& path) {
  TRY_VOID(pki::require_private_file(path));
  return signing::load_key_agreement_pair(path);
}

Result<signing::SigningKeyPair> load_result_key(const std::string& path) {
  TRY_VOID(pki::require_private_file(path));
  return signing::load_signing_key(path);
}

Result<std::optional<signing::SigningKeyPair>> load_result_key_if_there(const std::string& path) {
  if (!files::exists(path)) return std::optional<signing::SigningKeyPair>();
  TRY(auto key, part(path, load_result_key(path)));
  return std::optional(std::move(key));
}

Result<void> save_tls(const std::string& path, const Identity& identity) {
  return files::write_atomic(path, identity.tls_key.to_pem() + identity.certificate.pem, 0600);
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// The very file that was looked at. False: errno says why.
bool give_file(int folder, const char* name, const struct stat& owner) {
  const int file = ::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return errno == ENOENT;
  struct stat info {};
  const bool given = ::fstat(file, &info) == 0 &&
                     (!S_ISREG(info.st_mode) || info.st_nlink != 1 ||
                      ::fchownat(file, "", owner.st_uid, owner.st_gid, AT_EMPTY_PATH) == 0);
  ::close(file);
  return given;
}

// The folder and the files in it; nothing when it is not there.
bool give_folder(const std::string& path, const struct stat& owner) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (opened < 0) return errno == ENOENT;
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(opened));
  if (!folder) {
    ::close(opened);
    return false;
  }
  while (const dirent* entry = ::readdir(folder.get()))
    if (!give_file(opened, entry->d_name, owner)) return false;
  return ::fchown(opened, owner.st_uid, owner.st_gid) == 0;
}

}  // namespace

Result<Identity> IdentityStore::load() const {
  const auto document_path = path(kDocument);
  auto text = files::read(document_path, kMaxDocumentBytes);
  if (!text && text.error().code() == Errc::kNotFound) {
    return Error(Errc::kNotFound, "this host is not enrolled (there is no " + document_path +
                                      "); run: observeai-agent enroll");
  }
  TRY(const auto json, part(document_path, std::move(text)));
  TRY(auto document, part(document_path, internal::decode_identity(json)));
  const auto tls = tls_path();
  TRY(auto key, part(tls, pki::PrivateKey::load(tls)));
  TRY(const auto tls_pem, part(tls, files::read(tls, kMaxPemBytes)));
  TRY(auto certificate, part(tls, pki::parse_certificate(tls_pem)));
  if (certificate.spki_sha256 != key.spki_sha256()) {
    return damaged(tls, Error(Errc::kCorrupt, "key and certificate do not belong together"));
  }
  if (certificate.common_name != document.agent.value()) {
    return damaged(tls, Error(Errc::kCorrupt,
                              "the certificate is not that of agent " + document.agent.value()));
  }
  const auto ca = server_ca_path();
  TRY(auto ca_pem, part(ca, files::read(ca, kMaxPemBytes)));
  TRY(const auto authorities, part(ca, pki::parse_bundle(ca_pem)));
  TRY(auto sealing, part(path(kSealing), load_sealing(path(kSealing))));
  TRY(auto result_key, load_result_key_if_there(path(kResult)));
  TRY(auto root, part(path(kRoot), files::read(path(kRoot), kMaxRootMetadataBytes)));
  return Identity{document.agent,
                  document.tenant,
                  document.shard,
                  document.server,
                  document.brokers,
                  std::move(key),
                  std::move(certificate),
                  std::move(ca_pem),
                  sealing,
                  document.controlplane_public_key,
                  std::move(result_key),
                  std::move(root),
                  document.confirmed};
}

Result<void> IdentityStore::save_document(const Identity& identity) {
  const internal::IdentityDocument document{identity.agent,    identity.tenant,
                                            identity.shard,    identity.server,
                                            identity.brokers,  identity.controlplane_public_key,
                                            identity.confirmed};
  return files::write_atomic(path(kDocument), internal::encode(document), 0600);
}

// Without identity.json there is no identity, so the parts can be replaced one by one. The new keys
// stay in next/ until the end: a crash anywhere here is repaired by enrolling again.
Result<void> IdentityStore::save(const Identity& identity) {
  TRY_VOID(files::make_directories(folder_, 0700));
  TRY_VOID(remove(path(kDocument)));
  TRY_VOID(save_tls(tls_path(), identity));
  TRY_VOID(files::write_atomic(server_ca_path(), identity.server_ca_pem, 0600));
  TRY_VOID(signing::save_key_agreement_pair(path(kSealing), identity.sealing));
  if (identity.result_key) {
    TRY_VOID(signing::save_signing_key(path(kResult), *identity.result_key));
  }
  TRY_VOID(files::write_atomic(path(kRoot), identity.root_metadata, 0600));
  TRY_VOID(save_document(identity));
  return forget_next();
}

Result<void> IdentityStore::mark_confirmed() {
  TRY(auto identity, load());
  identity.confirmed = true;
  return save_document(identity);
}

Result<void> IdentityStore::forget_result_key() {
  return remove(path(kResult));
}

Result<void> IdentityStore::give_to_owner_of(const std::string& directory) const {
  if (::geteuid() != 0) return {};
  struct stat owner {};
  if (::stat(directory.c_str(), &owner) != 0)
    return files::from_errno("cannot look at " + directory, errno);
  if (owner.st_uid == 0) return {};
  // What is in it first: until then it is root's alone.
  if (!give_folder(folder_ + "/next", owner) || !give_folder(folder_, owner))
    return files::from_errno("cannot give " + folder_ + " to the owner of " + directory, errno);
  return {};
}

Result<void> IdentityStore::forget_next() {
  return remove(folder_ + "/next");
}

Result<NewKeys> IdentityStore::keys_for_enrollment(const std::string& token_id) {
  TRY_VOID(files::make_directories(folder_, 0700));
  const auto made_for = files::read(next_path(kToken), 64);
  if (made_for && *made_for == token_id) {
    TRY(auto tls, part(next_path(kTls), pki::PrivateKey::load(next_path(kTls))));
    TRY(const auto sealing, part(next_path(kSealing), load_sealing(next_path(kSealing))));
    TRY(const auto result, part(next_path(kResult), load_result_key(next_path(kResult))));
    return NewKeys{std::move(tls), sealing, result};
  }
  TRY_VOID(forget_next());
  TRY_VOID(files::make_directories(folder_ + "/next", 0700));
  TRY(auto tls, pki::PrivateKey::generate());
  NewKeys keys{std::move(tls), signing::generate_key_agreement_pair(),
               signing::SigningKeyPair::generate()};
  TRY_VOID(keys.tls.save(next_path(kTls)));
  TRY_VOID(signing::save_key_agreement_pair(next_path(kSealing), keys.sealing));
  TRY_VOID(signing::save_signing_key(next_path(kResult), keys.result));
  // Last: with it the three are whole.
  TRY_VOID(files::write_atomic(next_path(kToken), token_id, 0600));
  return keys;
}

Result<pki::PrivateKey> IdentityStore::key_for_renewal(const Identity& current) {
  TRY_VOID(files::make_directories(folder_ + "/next", 0700));
  const auto path = next_path(kRenewal);
  auto key = pki::load_or_create_key(path);
  // The key is current already when a crash came right after the swap; a damaged one is of no use.
  const bool unusable = !key ? key.error().code() == Errc::kCorrupt
                             : key->spki_sha256() == current.certificate.spki_sha256;
  if (!unusable) return key;
  TRY_VOID(remove(path));
  return pki::load_or_create_key(path);
}

Result<void> IdentityStore::save_renewed(const Identity& identity) {
  TRY_VOID(files::write_atomic(server_ca_path(), identity.server_ca_pem, 0600));
  TRY_VOID(save_document(identity));
  TRY_VOID(save_tls(tls_path(), identity));
  return forget_next();
}

}  // namespace observeai::agent
