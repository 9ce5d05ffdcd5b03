#include "controlplane/cli/credentials.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <istream>
#include <ostream>

#include <boost/json.hpp>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxLoginBytes = 4096;  // Far longer than any login text

// Also for root, when sudo says that it stands in for the owner.
bool is_mine(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return false;
  const char* sudo_uid = ::geteuid() == 0 ? std::getenv("SUDO_UID") : nullptr;
  return info.st_uid == ::geteuid() ||
         (sudo_uid != nullptr && text::parse_u64(sudo_uid) == std::uint64_t{info.st_uid});
}

std::string text_field(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

}  // namespace

std::string default_credentials_file() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0') {
    return std::string(config) + "/observeai/console.json";
  }
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.config/observeai/console.json";
}

std::string find_credentials_file() {
  if (const char* named = std::getenv("OBSERVEAI_CONSOLE"); named != nullptr && *named != '\0') {
    return named;
  }
  std::error_code error;
  for (auto folder = std::filesystem::current_path(error); !folder.empty();
       folder = folder.parent_path()) {
    const auto candidate = (folder / ".observeai/console.json").string();
    if (is_mine(candidate)) return candidate;
    if (folder == folder.root_path()) break;
  }
  return default_credentials_file();
}

Result<Credentials> load_credentials(const std::string& path) {
  const auto text = files::read(path, 64U << 10);
  if (!text) {
    if (text.error().code() == Errc::kNotFound) {
      return Error(Errc::kNotFound,
                   "not logged in (" + path +
                       " does not exist). Run: observeai login, with the "
                       "text that `observeai-controlplane login-code` or scripts/up prints");
    }
    return text.error();
  }
  boost::system::error_code error;
  const json::value parsed = json::parse(*text, error);
  const auto* object = error ? nullptr : parsed.if_object();
  const auto* port = object == nullptr ? nullptr : object->if_contains("port");
  Credentials credentials;
  if (object != nullptr && port != nullptr && port->is_int64()) {
    credentials.server.host = text_field(*object, "host");
    credentials.server.port = static_cast<std::uint16_t>(port->as_int64());
    credentials.server.spki_sha256 = text_field(*object, "spki_sha256");
    credentials.key = text_field(*object, "key");
    credentials.user = text_field(*object, "user");
  }
  if (credentials.server.host.empty() || credentials.key.empty() ||
      credentials.server.spki_sha256.size() != 64) {
    return Error(Errc::kInvalid,
                 path + " is not a console login; delete it and run: observeai login");
  }
  return credentials;
}

Result<void> save_credentials(const std::string& path, const Credentials& credentials) {
  const json::object object{{"host", credentials.server.host},
                            {"port", credentials.server.port},
                            {"spki_sha256", credentials.server.spki_sha256},
                            {"key", credentials.key},
                            {"user", credentials.user}};
  const auto folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty()) {
    TRY_VOID(files::make_directories(folder, 0700));
  }
  return files::write_atomic(path, json::serialize(object) + "\n", 0600);
}

Result<LoginText> parse_login_text(std::string_view text) {
  const auto bad = [](const char* why) {
    return Error(Errc::kInvalid,
                 std::string("this is not a login text (oal1.HOST.PORT.CODE.KEYHASH): ") + why);
  };
  const auto parts = text::split(text::trim(text), '.');
  if (parts.size() < 5 || parts[0] != "oal1")
    return bad("it must begin with oal1. and have five parts");
  const auto port = text::parse_u64(parts[parts.size() - 3]);
  if (!port || *port == 0 || *port > 65'535) return bad("the port is not a number from 1 to 65535");
  LoginText login;
  for (std::size_t i = 1; i + 3 < parts.size(); ++i) {
    if (i > 1) login.server.host += '.';
    login.server.host += parts[i];
  }
  login.server.port = static_cast<std::uint16_t>(*port);
  login.server.spki_sha256 = parts.back();
  login.code = parts[parts.size() - 2];
  if (login.server.host.empty()) return bad("the host is missing");
  if (login.server.spki_sha256.size() != 64 || !text::from_hex(login.server.spki_sha256)) {
    return bad("the key hash at the end must be 64 hex characters; was the text cut?");
  }
  if (login.code.empty()) return bad("the code is missing");
  return login;
}

Result<std::string> read_login_text(const std::string& argument, bool is_terminal, std::istream& in,
                                    std::ostream& err) {
  if (!argument.empty() && argument != "-") return argument;
  if (argument.empty() && !is_terminal) {
    return Error(Errc::kInvalid,
                 "no login text; pass it on standard input: "
                 "observeai-controlplane login-code | observeai login -");
  }
  if (argument.empty()) err << "Login text (oal1....): " << std::flush;
  std::string text;
  for (char c = 0; text.size() <= kMaxLoginBytes && in.get(c) && c != '\n';) text += c;
  text = std::string(text::trim(text));
  if (text.empty()) return Error(Errc::kInvalid, "there is no login text on standard input");
  if (text.size() > kMaxLoginBytes)
    return Error(Errc::kInvalid, "what is on standard input is too long for a login text");
  return text;
}

}  // namespace observeai::controlplane::cli
