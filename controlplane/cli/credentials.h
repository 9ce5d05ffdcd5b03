// Where the control plane is and who we are: one JSON file, mode 0600, made by `observeai login`.
#pragma once

#include <iosfwd>
#include <string>

#include "protocol/base/result.h"
#include "protocol/http/http_client.h"

namespace observeai::controlplane::cli {

struct Credentials {
  http::Endpoint server;
  std::string key;   // oak1_...
  std::string user;  // For people; the server decides by the key
};

// The first that exists: $OBSERVEAI_CONSOLE; .observeai/console.json here or in a folder above,
// when it belongs to the same user (scripts/up made it); ~/.config/observeai/console.json.
std::string find_credentials_file();
// Where `login` writes when nothing was named: the last of the above.
std::string default_credentials_file();

Result<Credentials> load_credentials(const std::string& path);
Result<void> save_credentials(const std::string& path, const Credentials& credentials);

// The text that the control plane hands out once: oal1.<host>.<port>.<code>.<spki sha256>. The host
// may itself contain dots.
struct LoginText {
  http::Endpoint server;
  std::string code;
};
Result<LoginText> parse_login_text(std::string_view text);

// The text itself: `argument`, or for "-" the first line of `in`. Without an argument a person at a
// terminal is asked on `err`; otherwise kInvalid.
Result<std::string> read_login_text(const std::string& argument, bool is_terminal, std::istream& in,
                                    std::ostream& err);

}  // namespace observeai::controlplane::cli
