#include "controlplane/broker/generations.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "controlplane/broker/broker_user.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "gen-";
constexpr std::size_t kMaxReason = 4096;
constexpr std::size_t kMaxName = 64;

std::vector<std::uint64_t> numbers(const std::string& root) {
  std::vector<std::uint64_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    if (const auto n = text::parse_u64(std::string_view(name).substr(kPrefix.size())))
      out.push_back(*n);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string path_of(const std::string& root, std::uint64_t number) {
  return root + "/" + std::string(kPrefix) + std::to_string(number);
}

Result<void> remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return files::from_errno("cannot remove " + path, errno);
}

}  // namespace

std::string Generations::name(const std::string& generation) {
  return fs::path(generation).filename();
}

Result<std::string> Generations::write(const BrokerSettings& settings,
                                       const BrokerFiles& files) const {
  TRY(const auto user, find_broker_user(settings.user));
  TRY_VOID(files::make_directories(root_, 0700));
  const auto existing = numbers(root_);
  const std::string directory = path_of(root_, existing.empty() ? 1 : existing.back() + 1);
  TRY(const std::string config, render_config(settings));
  TRY_VOID(files::make_directories(directory, 0700));
  const std::pair<const char*, const std::string*> contents[] = {
      {"ca.pem", &files.ca_pem},
      {"crl.pem", &files.crl_pem},
      {"acl", &files.acl},
      {"server.pem", &files.certificate_pem},
      {"server.key", &files.key_pem},
      {"mosquitto.conf", &config}};
  for (const auto& [name, bytes] : contents) {
    TRY_VOID(files::write_atomic(directory + "/" + name, *bytes, 0600));
    TRY_VOID(let_broker_read(directory + "/" + name, user));
  }
  TRY_VOID(let_broker_read(directory, user));
  return directory;
}

Result<void> Generations::activate(const std::string& generation) const {
  const std::string link = root_ + "/current";
  const std::string temporary = link + ".new";
  ::unlink(temporary.c_str());
  const std::string target = name(generation);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) {
    return files::from_errno("cannot make the link " + temporary, errno);
  }
  if (::rename(temporary.c_str(), link.c_str()) != 0) {
    return files::from_errno("cannot replace the link " + link, errno);
  }
  return {};
}

Result<std::string> Generations::current() const {
  std::error_code error;
  const auto target = fs::read_symlink(root_ + "/current", error);
  if (error) return Error(Errc::kNotFound, "no broker configuration is active in " + root_);
  return root_ + "/" + target.filename().string();
}

void Generations::prune(std::size_t keep) const {
  auto all = numbers(root_);
  const auto active = current();
  while (all.size() > keep) {
    const std::string path = path_of(root_, all.front());
    all.erase(all.begin());
    std::error_code error;
    if (!active || path != *active) fs::remove_all(path, error);
  }
}

Result<void> Generations::set_checked(const std::string& generation) const {
  return files::write_atomic(root_ + "/checked", name(generation), 0600);
}

Result<void> Generations::clear_checked() const {
  return remove(root_ + "/checked");
}

bool Generations::is_checked(const std::string& generation) const {
  const auto checked = files::read(root_ + "/checked", kMaxName);
  return checked && *checked == name(generation);
}

Result<void> Generations::set_halted(const std::string& reason) const {
  return files::write_atomic(root_ + "/halted", reason.substr(0, kMaxReason), 0600);
}

Result<void> Generations::clear_halted() const {
  return remove(root_ + "/halted");
}

std::string Generations::halted() const {
  if (!files::exists(root_ + "/halted")) return {};
  const auto reason = files::read(root_ + "/halted", kMaxReason);
  return reason && !reason->empty() ? *reason
                                    : "the broker was halted for a reason that cannot be read";
}

}  // namespace observeai::controlplane
