// How the values of names are written in logs, and whether one can be a secret at all. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace observeai::agent {

// A longer value is a secret, whatever it looks like.
inline constexpr std::size_t kMaxJudgedValue = 512;

// What opens a value; mark == 0: none does.
struct Quote {
  char mark = 0;
  std::size_t backslashes = 0;  // Before it: JSON inside a JSON string
  std::string_view closing;     // Of quotes in another form: &quot; \u0022 $$ and printed ones
};

// A quote at `at`, escaped or not; moves `at` behind it.
Quote take_quote(std::string_view text, std::size_t& at);
// Behind the blanks at `at`, a bounded number of them.
std::size_t skip_blanks(std::string_view text, std::size_t at);
// Behind what wraps a quoted value and is no part of it: b'x', N'x', Some("x"), string(8) "x".
std::size_t skip_wrapper(std::string_view text, std::size_t at);
// "auth_token=Bearer abc": the scheme is no secret, what follows it is.
std::size_t skip_scheme(std::string_view text, std::size_t at);

std::size_t quoted_end(std::string_view text, std::size_t at, const Quote& quote);
std::size_t unquoted_end(std::string_view text, std::size_t at);
// Of credentials in a header or on a command line.
std::size_t credential_end(std::string_view text, std::size_t at);
// A phrase of plain words goes on to its last one: "passphrase=correct horse battery".
std::size_t phrase_end(std::string_view text, std::size_t end);

// Stands where a secret would: null, ${PASSWORD}, ******, "is required".
bool is_placeholder(std::string_view value);
// Code, not its result: config.get(…, this.token.
bool is_reference(std::string_view value);
// /run/secrets/db, ./token.txt: of lower case, for base64 begins with '/' now and then.
bool is_path(std::string_view value);
// Words and dashed names, as prose and object names have them.
bool looks_like_words(std::string_view value);
// Letters and digits together and no call or type: "hunter2abc", not "required", "42", "char(255)".
bool looks_like_password(std::string_view value);
// As only a generator writes: at least ten bytes, upper and lower case and digits or signs.
bool looks_generated(std::string_view value);
// A part of at least `bytes` that mixes letters and digits, or a longer one that changes between upper
// and lower case as no words do: "9f8e7d6c5b4a", "dXNlcjpwYXNz"; not "scram-sha-256", "UserToken".
bool has_random_part(std::string_view value, std::size_t bytes);
bool has_word_byte(std::string_view value);
bool has_any(std::string_view value, std::uint16_t classes);

}  // namespace observeai::agent
