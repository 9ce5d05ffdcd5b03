#include "protocol/pki/private_key.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <cerrno>

#include "protocol/base/check.h"
#include "protocol/base/files.h"
#include "protocol/pki/openssl_internal.h"

namespace observeai::pki {

using namespace internal;

struct PrivateKey::Impl {
  KeyPtr key;
};

namespace {
// Without one OpenSSL would ask on the terminal for the passphrase of an encrypted key.
int no_passphrase(char*, int, int, void*) {
  return -1;
}
}  // namespace

Result<PrivateKey> PrivateKey::generate() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Errc::kInternal, "cannot make a key");
  return PrivateKey(std::make_shared<const Impl>(Impl{std::move(key)}));
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return Error(Errc::kLimit, "private key is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (!key) return openssl_error(Errc::kCorrupt, "not a private key in PEM");
  TRY_VOID(require_p256(key.get()));
  return PrivateKey(std::make_shared<const Impl>(Impl{std::move(key)}));
}

Result<PrivateKey> PrivateKey::load(const std::string& path) {
  TRY_VOID(require_private_file(path));
  TRY(auto pem, files::read(path, kMaxPemBytes));
  auto key = from_pem(pem);
  OPENSSL_cleanse(pem.data(), pem.size());
  if (!key) return std::move(key).error().with_context(path);
  return key;
}

Result<void> PrivateKey::save(const std::string& path) const {
  auto pem = to_pem();
  auto written = files::write_atomic(path, pem, 0600);
  OPENSSL_cleanse(pem.data(), pem.size());
  return written;
}

std::string PrivateKey::to_pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) == 1);
  return bio_text(bio.get());
}

std::string PrivateKey::spki_sha256() const {
  return internal::spki_sha256(impl_->key.get());
}

Result<std::string> PrivateKey::sign(std::string_view bytes) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, bytes.size()) != 1) {
    return openssl_error(Errc::kInternal, "cannot sign");
  }
  std::string signature(size, '\0');
  auto* out = reinterpret_cast<unsigned char*>(signature.data());
  if (EVP_DigestSign(context.get(), out, &size, data, bytes.size()) != 1) {
    return openssl_error(Errc::kInternal, "cannot sign");
  }
  signature.resize(size);
  return signature;
}

Result<PrivateKey> load_or_create_key(const std::string& path) {
  if (files::exists(path)) return PrivateKey::load(path);
  TRY(auto key, PrivateKey::generate());
  TRY_VOID(key.save(path));
  return key;
}

Result<void> require_private_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return files::from_errno("cannot open " + path, errno);
  if ((info.st_mode & 077) != 0) {
    return Error(Errc::kDenied, path + " holds a secret but others than its owner have access to " +
                                    "it; run: chmod 600 " + path);
  }
  return {};
}

void random_bytes(std::span<std::uint8_t> out) {
  CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

EVP_PKEY* internal::native(const PrivateKey& key) {
  return key.impl().key.get();
}

}  // namespace observeai::pki
