// What stands between the name of a secret and its value. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace observeai::agent {

// kEncoded is %3D, the '=' of form data; kWeak stands between a key and a value only now and then
// ("password is x", "password->x", "password|x"): the value itself must look like a password. After
// kProse, a blank alone ("token x expired"), it must look generated.
enum class Separator { kNone, kEquals, kColon, kBlank, kTag, kEncoded, kWeak, kProse };

struct KeyPlace {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool is_flag = false;  // --password: a blank separates
  bool is_tag = false;   // <password>
  bool is_quoted =
      false;  // On both sides: one that only begins is prose, {"msg":"token: unexpected"}
};

// Moves `at`, which is behind the key, to the value's first byte (or opening quote).
Separator take_separator(std::string_view text, const KeyPlace& key, std::size_t& at);

// {"password": {"value": "x"}}, as configuration dumps have it: moves `at`, which is at '{', to the
// value of the member.
bool enter_value_member(std::string_view text, std::size_t& at);

// The end of a value behind kEncoded whose name is at text[at - 1] or before: the next escape of a quote,
// '&' or '}' that is encoded as often.
std::size_t encoded_end(std::string_view text, std::size_t at);

}  // namespace observeai::agent
