#include "agent/logs/secret_commands.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "agent/logs/secret_tokens.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;
using chars::is;

constexpr std::size_t kMaxReach = 120;  // From an option back to its command

// A command's option whose argument is a password. `needs` must stand between: "login" of docker login.
struct Option {
  std::string_view command;
  char letter;
  bool attached;  // -px; false: -p x
  std::string_view needs = {};
};
constexpr auto kOptions = std::to_array<Option>({{"sshpass", 'p', false},
                                                 {"sshpass", 'p', true},
                                                 {"mysql", 'p', true},
                                                 {"mysqldump", 'p', true},
                                                 {"mysqladmin", 'p', true},
                                                 {"mysqlimport", 'p', true},
                                                 {"mariadb", 'p', true},
                                                 {"mariadb-dump", 'p', true},
                                                 {"7z", 'p', true},
                                                 {"7za", 'p', true},
                                                 {"docker", 'p', false, "login"},
                                                 {"podman", 'p', false, "login"},
                                                 {"helm", 'p', false, "login"},
                                                 {"oc", 'p', false, "login"},
                                                 {"az", 'p', false, "login"},
                                                 {"mongo", 'p', false},
                                                 {"mongosh", 'p', false},
                                                 {"mongodump", 'p', false},
                                                 {"mongorestore", 'p', false},
                                                 {"cqlsh", 'p', false},
                                                 {"twine", 'p', false},
                                                 {"ncftp", 'p', false},
                                                 {"ncftpput", 'p', false},
                                                 {"psexec", 'p', false},
                                                 {"redis-cli", 'a', false},
                                                 {"ldapsearch", 'w', false},
                                                 {"ldapadd", 'w', false},
                                                 {"ldapmodify", 'w', false},
                                                 {"ldapdelete", 'w', false},
                                                 {"ldapwhoami", 'w', false},
                                                 {"ldappasswd", 'w', false},
                                                 {"ldappasswd", 's', false},
                                                 {"dsconf", 'w', false},
                                                 {"sqlcmd", 'P', false},
                                                 {"bcp", 'P', false},
                                                 {"isql", 'P', false},
                                                 {"tsql", 'P', false},
                                                 {"zip", 'P', false},
                                                 {"unzip", 'P', false},
                                                 {"ipmitool", 'P', false},
                                                 {"mosquitto_pub", 'P', false},
                                                 {"mosquitto_sub", 'P', false},
                                                 {"snmpwalk", 'A', false},
                                                 {"snmpwalk", 'X', false},
                                                 {"snmpget", 'A', false},
                                                 {"snmpget", 'X', false}});

// A command whose argument number `word` (from 1, behind the anchor's word) is a password.
struct Place {
  std::string_view words;
  std::size_t anchor;
  std::size_t skipped;
};
constexpr auto kPlaces = std::to_array<Place>({{"rabbitmqctl add_user", 0, 1},
                                               {"rabbitmqctl change_password", 0, 1},
                                               {"htpasswd -b", 0, 2},
                                               {"htpasswd -bc", 0, 2},
                                               {"htpasswd -cb", 0, 2},
                                               {"htpasswd -bB", 0, 2},
                                               {"htpasswd -Bb", 0, 2},
                                               {"sentinel auth-pass", 13, 1},
                                               {"vault login", 0, 0},
                                               {"PRAGMA key =", 0, 0}});

// The argument at `at`, quoted or not, with a '=' or blank before it passed over.
SecretSpan argument_at(std::string_view text, std::size_t at) {
  const auto quote = take_quote(text, at);
  auto end = quote.mark != 0 ? quoted_end(text, at, quote) : unquoted_end(text, at);
  const auto content = chars::from(text, at, end - at);
  if (content.size() < 4 || content[0] == '-' || content[0] == '/' || is_placeholder(content))
    return {};
  if (quote.mark == 0 && content.find_first_not_of("0123456789:.") == std::string_view::npos)
    return {};  // A port
  return {at, end, "password", false};
}

// What is found, by its own name if it is a token of a known form.
SecretSpan named(std::string_view text, const SecretSpan& found) {
  const auto token = found ? token_at(text, found.begin) : SecretSpan{};
  return token ? token : found;
}

struct Command {
  std::string_view name;
  std::string_view arguments;
};

bool is_edge(std::string_view text, std::size_t at) {
  return at >= text.size() || !is(text[at], chars::kUrlSafe | chars::kDot);
}

// The options of a command that may stand `before` them: the last one of the table in this pipe.
std::optional<Command> command_in(std::string_view before) {
  for (auto end = before.size(); end > 0;) {
    auto begin = end;
    while (begin > 0 && !is_edge(before, begin - 1)) --begin;
    const auto word = before.substr(begin, end - begin);
    if (is(word.empty() ? ' ' : word[0], chars::kLower | chars::kDigit)) {
      for (const auto& option : kOptions) {
        if (option.command == word) return Command{word, before.substr(end)};
      }
    }
    if (begin > 0 && before[begin - 1] == '|') return std::nullopt;
    end = begin > 0 ? begin - 1 : 0;
  }
  return std::nullopt;
}

// " -p x" and " -px": the command decides what it means.
SecretSpan match_option(std::string_view text, std::size_t at) {
  const char letter = text[at + 2];
  const auto behind = at + 3;
  if (behind >= text.size()) return {};
  const bool attached = text[behind] != ' ';
  const auto found = argument_at(text, attached ? behind : skip_blanks(text, behind));
  if (!found) return {};
  const auto reach = std::min(at, kMaxReach);
  const auto command = command_in(text.substr(at - reach, reach));
  if (!command) return {};
  const bool known = std::any_of(kOptions.begin(), kOptions.end(), [&](const Option& option) {
    return option.letter == letter && option.attached == attached &&
           option.command == command->name &&
           command->arguments.find(option.needs) != std::string_view::npos;
  });
  return known ? named(text, found) : SecretSpan{};
}

SecretSpan match_place(std::string_view text, std::size_t at, const Place& place) {
  const auto begin = at - place.anchor;
  if (at < place.anchor || chars::from(text, begin, place.words.size()) != place.words) return {};
  auto i = begin + place.words.size();
  for (std::size_t word = 0; word <= place.skipped; ++word) {
    if (i >= text.size() || text[i] != ' ') return {};
    ++i;
    if (word < place.skipped) i = std::min(text.find(' ', i), text.size());
  }
  return argument_at(text, i);
}

// net use Z: \\host\share /user:bob x; xfreerdp /u:bob /p:x; app.exe /Password:x
SecretSpan match_windows(std::string_view text, std::size_t at) {
  for (const auto name : {" /p:"sv, " /pw:"sv, " /pass:"sv, " /password:"sv}) {
    if (chars::equals_ignoring_case(chars::from(text, at, name.size()), name))
      return argument_at(text, at + name.size());
  }
  constexpr auto kUser = " /user:"sv;
  constexpr auto kReach = std::size_t{80};
  if (!chars::equals_ignoring_case(chars::from(text, at, kUser.size()), kUser)) return {};
  const auto reach = std::min(at, kReach);
  if (chars::from(text, at - reach, reach).find("net use") == std::string_view::npos) return {};
  const auto end = text.find(' ', at + 1);
  if (end == std::string_view::npos || chars::from(text, end + 1).starts_with('/')) return {};
  return argument_at(text, end + 1);
}

// echo x | docker login --password-stdin; echo 'bob:x' | chpasswd; echo x | passwd --stdin bob
SecretSpan match_echoed(std::string_view text, std::size_t at) {
  constexpr auto kReach = std::size_t{120};
  const bool reads = chars::from(text, at).starts_with("chpasswd") ||
                     chars::from(text, at).starts_with("-stdin") ||
                     chars::from(text, at).starts_with("kinit ");
  if (!reads) return {};
  const auto reach = std::min(at, kReach);
  const auto from = at - reach;
  const auto before = text.substr(from, reach);
  const auto bar = before.rfind('|');
  if (bar == std::string_view::npos) return {};
  const auto echo = before.substr(0, bar).rfind("echo ");
  if (echo == std::string_view::npos) return {};
  auto found = argument_at(text, skip_blanks(text, from + echo + 5));
  if (!found || found.end > from + bar) return {};
  if (chars::from(text, at).starts_with("chpasswd")) {
    const auto colon = chars::from(text, found.begin, found.end - found.begin).find(':');
    if (colon != std::string_view::npos) found.begin += colon + 1;
  }
  return found;
}

// -U bob%x of smbclient and its kin; -u bob,x of lftp
SecretSpan match_pair(std::string_view text, std::size_t at) {
  const auto end = std::min(text.find_first_of(" \t\r\n\"'", at + 4), text.size());
  const auto pair = chars::from(text, at + 4, end - at - 4);
  const auto reach = std::min<std::size_t>(at, 80);
  const auto before = chars::from(text, at - reach, reach);
  const char mark = text[at + 2] == 'U' ? '%' : ',';
  const bool known = mark == '%' ? before.find("smb") != std::string_view::npos ||
                                       before.find("rpcclient") != std::string_view::npos
                                 : before.find("lftp") != std::string_view::npos;
  const auto split = pair.find(mark);
  if (!known || split == std::string_view::npos || split + 1 >= pair.size()) return {};
  return {at + 4 + split + 1, end, "password", false};
}

// openssl … -passin pass:x, -passout pass:x
SecretSpan match_pass_source(std::string_view text, std::size_t at) {
  for (const auto name : {"-passin pass:"sv, "-passout pass:"sv}) {
    if (chars::from(text, at).starts_with(name)) return argument_at(text, at + name.size());
  }
  return {};
}

// sqlplus [-S] scott/tiger@db
SecretSpan match_sqlplus(std::string_view text, std::size_t at) {
  constexpr auto kCommand = "sqlplus "sv;
  if (!chars::from(text, at).starts_with(kCommand)) return {};
  auto begin = at + kCommand.size();
  if (chars::from(text, begin).starts_with("-S ")) begin += 3;
  const auto end = std::min(text.find_first_of(" \t\r\n\"'", begin), text.size());
  const auto login = chars::from(text, begin, end - begin);
  const auto slash = login.find('/');
  const auto host = login.rfind('@');
  if (slash == std::string_view::npos || host == std::string_view::npos || slash + 1 >= host)
    return {};
  return {begin + slash + 1, begin + host, "password", false};
}

}  // namespace

void add_command_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const auto anchor :
       {" -p "sv, " -a "sv, " -w "sv, " -x "sv, " -s "sv, " -u "sv, " /p:"sv, " /pw"sv, " /pa"sv,
        " /us"sv, "-std"sv, "chpa"sv, "kini"sv, "-pas"sv, "sqlp"sv}) {
    filter.add(anchor, tag);
  }
  for (const char c : "abcdefghijklmnopqrstuvwxyz0123456789'\"!@#*"sv)
    filter.add(std::string(" -p") + c, tag);
  for (const auto& place : kPlaces) filter.add(place.words.substr(place.anchor), tag);
}

SecretSpan match_command(std::string_view text, std::size_t at) {
  if (chars::from(text, at).starts_with(" -u ") || chars::from(text, at).starts_with(" -U ")) {
    if (const auto found = match_pair(text, at)) return found;
  }
  if (chars::from(text, at).starts_with(" -")) return match_option(text, at);
  if (const auto found = match_pass_source(text, at)) return found;
  if (const auto found = match_sqlplus(text, at)) return found;
  if (text[at] == '-' || text[at] == 'c' || text[at] == 'k') {
    if (const auto found = match_echoed(text, at)) return found;
  }
  if (text[at] == ' ' || text[at] == '/') return match_windows(text, at);
  for (const auto& place : kPlaces) {
    if (const auto found = match_place(text, at, place)) return found;
  }
  return {};
}

SecretSpan match_auth_command(std::string_view text, std::size_t at) {
  // The anchor is "uth " or "uth\"".
  if (at == 0 || chars::from(text, at - 1, 4) != "AUTH" ||
      (at > 1 && is(text[at - 2], chars::kWord))) {
    return {};
  }
  auto i = at + 3;
  if (i < text.size() && text[i] == '"') ++i;
  if (i >= text.size() || text[i] != ' ') return {};
  auto begin = i + 1;
  const auto first = argument_at(text, begin);
  const auto first_end = std::min(text.find(' ', begin), text.size());
  const bool is_mechanism =
      chars::from(text, begin, 6) == "PLAIN " || chars::from(text, begin, 6) == "LOGIN ";
  const auto word =
      first ? chars::from(text, first.begin, first.end - first.begin) : std::string_view();
  // Not SCRAM-SHA-256
  if (!is_mechanism && looks_like_password(word) && has_any(word, chars::kLower)) return first;
  // The word before it is a user
  if (first_end + 1 >= text.size()) return {};
  const auto second = argument_at(text, first_end + 1);
  const auto password =
      second ? chars::from(text, second.begin, second.end - second.begin) : std::string_view();
  const bool is_base64 =
      is_mechanism && password.size() >= 8 &&
      chars::run_end(password, 0, chars::kAlnum | chars::kBase64) == password.size();
  const bool is_password = looks_like_password(password) && has_any(password, chars::kLower);
  return is_base64 || is_password ? second : SecretSpan{};
}

}  // namespace observeai::agent
