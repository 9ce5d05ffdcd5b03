#include "agent/discovery/secret_arguments.h"

#include <algorithm>
#include <array>

#include "agent/discovery/clip.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

// Redacted before it is cut, or a secret cut in half might not be recognized.
constexpr std::size_t kMaxRedactorInput = 8192;
constexpr std::string_view kHidden = "[REDACTED:password]";

enum class Form {
  kAttached,  // -pX, where -p alone asks on the terminal
  kNext,      // -p X
  kEither,    // -p X and -pX
  kUserPair,  // -u user:X and -uuser:X; the user stays
};
struct ToolOption {
  std::string_view tool;  // Beginning of the program's name
  std::string_view option;
  Form form;
};
constexpr auto kToolOptions = std::to_array<ToolOption>({
    {"mysql", "-p", Form::kAttached},     {"mariadb", "-p", Form::kAttached},
    {"sshpass", "-p", Form::kEither},     {"mongo", "-p", Form::kNext},
    {"redis-cli", "-a", Form::kNext},     {"valkey-cli", "-a", Form::kNext},
    {"openssl", "-k", Form::kNext},       {"ldap", "-w", Form::kEither},
    {"docker", "-p", Form::kNext},        {"podman", "-p", Form::kNext},
    {"zip", "-P", Form::kEither},         {"unzip", "-P", Form::kEither},
    {"7z", "-p", Form::kAttached},        {"sqlcmd", "-P", Form::kEither},
    {"bcp", "-P", Form::kEither},         {"ipmitool", "-P", Form::kEither},
    {"curl", "-u", Form::kUserPair},      {"curl", "-U", Form::kUserPair},
    {"curl", "--user", Form::kUserPair},  {"curl", "--proxy-user", Form::kUserPair},
    {"wget", "--user", Form::kUserPair},  {"lftp", "-u", Form::kUserPair},
    {"smbclient", "-U", Form::kUserPair},
});
constexpr auto kPasswordNames =
    std::to_array<std::string_view>({"pass", "passwd", "password", "passphrase", "pwd",
                                     "requirepass", "masterauth", "secret", "passin", "passout"});

std::string_view program_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// -pass, --db-password: any option whose last word is one for password.
bool is_password_option(std::string_view argument) {
  if (!argument.starts_with('-') || argument.find('=') != std::string_view::npos) return false;
  std::string name(argument.substr(argument.find_last_of("-_.") + 1));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  for (const std::string_view word : {"-no-", "-ask-", "-prompt-", "-require-"}) {
    if (argument.find(word) != std::string_view::npos) return false;  // --no-password
  }
  return std::find(kPasswordNames.begin(), kPasswordNames.end(), name) != kPasswordNames.end();
}

// "docker run -p 80:80" publishes a port; only "docker login -p X" gives a password.
bool has_login(const std::vector<std::string_view>& words, std::size_t until) {
  return std::find(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(until), "login") !=
         words.begin() + static_cast<std::ptrdiff_t>(until);
}

class ArgumentHider {
 public:
  explicit ArgumentHider(const std::vector<std::string_view>& words) : words_(words) {}

  std::string run() {
    for (at_ = 0; at_ < words_.size(); ++at_) {
      if (!out_.empty()) out_.push_back(' ');
      if (!hide_tool_option() && !hide_named_option()) {
        out_.append(words_[at_]);
      }
    }
    return std::move(out_);
  }

 private:
  // Tools are started by others (sudo, sh -c, docker run), so every word before may be one.
  bool is_started(std::string_view tool) const {
    return std::any_of(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(at_),
                       [&](std::string_view word) { return program_name(word).starts_with(tool); });
  }

  bool hide_tool_option() {
    for (const auto& option : kToolOptions) {
      if (!words_[at_].starts_with(option.option) || !is_started(option.tool)) continue;
      if ((option.tool == "docker" || option.tool == "podman") && !has_login(words_, at_)) continue;
      const auto attached = words_[at_].substr(option.option.size());
      const bool is_long = option.option.starts_with("--");
      if (!attached.empty() && is_long) continue;  // --user=x: the redactor knows it
      if (option.form == Form::kUserPair) return hide_pair(option.option, attached);
      if (!attached.empty() && option.form != Form::kNext) {
        out_.append(option.option).append(kHidden);
        return true;
      }
      if (attached.empty() && option.form != Form::kAttached) return hide_next();
    }
    return false;
  }

  bool hide_named_option() { return is_password_option(words_[at_]) && hide_next(); }

  bool hide_next() {
    if (at_ + 1 >= words_.size()) return false;
    out_.append(words_[at_]).append(" ").append(kHidden);
    ++at_;
    return true;
  }

  // user:X, user%X and user,X.
  bool hide_pair(std::string_view option, std::string_view attached) {
    const bool is_next = attached.empty();
    if (is_next && at_ + 1 >= words_.size()) return false;
    const auto pair = is_next ? words_[at_ + 1] : attached;
    const auto separator = pair.find_first_of(":%,");
    if (separator == std::string_view::npos || separator + 1 == pair.size()) return false;
    out_.append(option).append(is_next ? " " : "").append(pair.substr(0, separator + 1));
    out_.append(kHidden);
    if (is_next) ++at_;
    return true;
  }

  const std::vector<std::string_view>& words_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string redacted_command(const std::vector<std::string_view>& arguments,
                             const RedactText& redact, std::size_t limit) {
  if (!redact) return {};
  std::vector<std::string_view> words;
  std::size_t bytes = 0;
  for (const auto argument : arguments) {
    for (const auto word : text::split(argument, ' ')) {
      bytes += word.size() + 1;
      if (bytes > kMaxRedactorInput) break;
      words.push_back(word);
    }
  }
  return clip_utf8(redact(ArgumentHider(words).run()), limit);
}

std::string redacted_label(std::string_view name, std::string_view value, const RedactText& redact,
                           std::size_t limit) {
  if (!redact) return {};
  value = value.substr(0, kMaxRedactorInput);
  const std::string key = std::string(name) + "=";
  const auto behind_key = [&](const std::string& text) {
    return text.starts_with(key) ? text.substr(key.size()) : text;
  };
  const std::string given = key + std::string(value);
  const std::string hidden = redact(given);
  if (hidden == given) return clip_utf8(redact(value), limit);
  // Is it the name that makes it a secret? Then a value of several words is one all the same.
  constexpr std::string_view kProbe = "x7Qp2Lm9Zk4Vt8Rw";
  const std::string probe = key + std::string(kProbe);
  const std::string probed = redact(probe);
  return clip_utf8(behind_key(probed == probe ? hidden : probed), limit);
}

}  // namespace observeai::agent
