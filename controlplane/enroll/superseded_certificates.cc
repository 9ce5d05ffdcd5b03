#include "controlplane/enroll/superseded_certificates.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {

namespace {

// 10,000 agents hold about one line of 100 bytes each.
constexpr std::size_t kMaxFileBytes = 64U << 20;

std::string to_line(const SupersededCertificate& certificate) {
  return certificate.serial + " " + certificate.agent.value() + " " +
         std::to_string(certificate.not_after_ms) + "\n";
}

std::optional<SupersededCertificate> from_line(std::string_view line) {
  const auto words = text::split(line, ' ');
  if (words.size() != 3) return std::nullopt;
  auto agent = AgentId::parse(words[1]);
  const auto not_after = text::parse_i64(words[2]);
  if (words[0].empty() || !text::from_hex(words[0]) || !agent || !not_after) return std::nullopt;
  return SupersededCertificate{std::string(words[0]), *agent, *not_after};
}

Result<void> append_durably(const std::string& path, const std::string& line) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return files::from_errno("cannot open " + path, errno);
  Result<void> out;
  // A line break first: after a write that failed half-way this line still stands alone.
  if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::fsync(file) != 0) {
    out = files::from_errno("cannot append to " + path, errno);
  }
  ::close(file);
  return out;
}

}  // namespace

Result<std::unique_ptr<SupersededCertificates>> SupersededCertificates::open(std::string path,
                                                                             std::int64_t now_ms) {
  std::vector<SupersededCertificate> entries;
  std::string kept;
  if (files::exists(path)) {
    TRY(const auto text, files::read(path, kMaxFileBytes));
    std::size_t broken = 0;
    for (const auto line : text::split(text, '\n')) {
      if (line.empty()) continue;
      const auto entry = from_line(line);
      if (!entry) ++broken;
      if (!entry || entry->not_after_ms <= now_ms) continue;
      kept += to_line(*entry);
      entries.push_back(*entry);
    }
    if (broken > 0) {
      log::warning(path + ": dropped " + std::to_string(broken) + " line(s) that do not parse");
    }
  }
  TRY_VOID(files::write_atomic(path, kept, 0600));
  return std::unique_ptr<SupersededCertificates>(
      new SupersededCertificates(std::move(path), std::move(entries)));
}

Result<void> SupersededCertificates::add(const SupersededCertificate& certificate) {
  MutexLock lock(mutex_);
  TRY_VOID(append_durably(path_, "\n" + to_line(certificate)));
  entries_.push_back(certificate);
  return {};
}

std::vector<SupersededCertificate> SupersededCertificates::unexpired(std::int64_t now_ms) {
  MutexLock lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) { return entry.not_after_ms <= now_ms; });
  return entries_;
}

}  // namespace observeai::controlplane
