#include "agent/app/certificate_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "agent/logs/path_pattern.h"
#include "agent/logs/unique_fd.h"
#include "protocol/base/text.h"
#include "protocol/pki/certificate.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxNameBytes = 128;  // RFC 5280 allows a common name of 64 characters
constexpr std::size_t kMostStuck = 8;       // Calls that hang, of all that share the deadline

std::string name_of(std::string_view foreign) {
  return text::replace_invalid_utf8(foreign.substr(0, kMaxNameBytes));
}

// Empty: it is no regular file, too long or cannot be read. A pipe or device does not hold the call.
std::string read_small(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  std::string content(kMaxCertificateBytes + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t got =
        ::pread(fd.get(), content.data() + size, content.size() - size, static_cast<off_t>(size));
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  content.resize(size);
  return size <= kMaxCertificateBytes ? content : std::string();
}

}  // namespace

std::vector<CertificateDates> read_certificates(const std::vector<std::string>& patterns) {
  std::set<std::string> paths;
  for (const std::string& pattern : patterns) {
    for (std::string& path : expand_pattern(pattern, [](const std::string&) { return true; })) {
      paths.insert(std::move(path));
    }
  }
  std::vector<CertificateDates> out;
  std::size_t files = 0;
  for (const std::string& path : paths) {
    if (++files > kMaxCertificateFiles) break;
    const std::string content = read_small(path);
    if (content.find("-----BEGIN") == std::string::npos) continue;
    const auto bundle = pki::parse_bundle(content);
    if (!bundle) continue;
    for (const pki::Certificate& one : *bundle) {
      out.push_back({text::replace_invalid_utf8(path), one.serial, name_of(one.common_name),
                     name_of(one.issuer), one.not_before_ms / 1'000, one.not_after_ms / 1'000});
    }
  }
  return out;
}

std::function<Result<std::vector<CertificateDates>>()> certificate_call(
    std::shared_ptr<DeadlineCalls> calls, std::vector<std::string> patterns) {
  return [calls = std::move(calls),
          patterns = std::move(patterns)]() -> Result<std::vector<CertificateDates>> {
    if (patterns.empty()) return std::vector<CertificateDates>{};
    std::function<Result<std::vector<CertificateDates>>()> work =
        [patterns]() -> Result<std::vector<CertificateDates>> {
      return read_certificates(patterns);
    };
    return calls->call("certificates", "the files of certificates", kMostStuck, std::move(work));
  };
}

}  // namespace observeai::agent
