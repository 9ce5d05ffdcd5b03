#include "protocol/actions/manifest.h"

#include <algorithm>

#include "protocol/actions/catalogue.h"
#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::actions {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kGlob = "*?[]\\";
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::size_t kMaxPathBytes = 4095;
constexpr std::size_t kMaxPrefixBytes = 256;
constexpr std::size_t kHashDigits = 64;

Error invalid(std::string_view name, std::string_view why) {
  return Error(Errc::kInvalid,
               "parameter \"" + text::escape_unprintable(name, 80) + "\" " + std::string(why));
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_free(std::string_view text) {
  return text::escape_unprintable(text, text.size() + 1) == text;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && is_letter_or_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_letter_or_digit(c) || std::string_view("_.@:-").find(c) != std::string::npos;
         });
}

bool is_path(std::string_view text) {
  if (!text.starts_with('/') || text.size() > kMaxPathBytes || !is_free(text)) return false;
  if (text == "/") return true;
  const auto parts = text::split(text.substr(1), '/');
  return std::none_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
}

bool is_prefix(std::string_view text) {
  return text.size() <= kMaxPrefixBytes && text.find_first_of(kGlob) == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool has_form(std::string_view text, Form form) {
  switch (form) {
    case Form::kNone:
      return false;
    case Form::kName:
    case Form::kContainer:  // An id of hex digits has the form of a name
      return is_name(text);
    case Form::kPath:
      return is_path(text);
    case Form::kPrefix:
      return is_prefix(text);
    case Form::kHash:
      return text.size() == kHashDigits &&
             text.find_first_not_of(kHexDigits) == std::string_view::npos;
    case Form::kFree:
      return is_free(text);
  }
  return false;
}

std::string_view form_for_people(Form form) {
  switch (form) {
    case Form::kNone:
      return "no text";
    case Form::kName:
      return "a name: letters, digits and _.@:-, a letter or digit first";
    case Form::kContainer:
      return "the name or the id of a container";
    case Form::kPath:
      return "an absolute path without \"//\", \".\", \"..\" or \"/\" at its end";
    case Form::kPrefix:
      return "printable ASCII without spaces and without any of *?[]\\";
    case Form::kHash:
      return "64 lower-case hex digits";
    case Form::kFree:
      return "UTF-8 without control characters";
  }
  return "";
}

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::kText:
      return "text";
    case Kind::kInteger:
      return "integer";
    case Kind::kFlag:
      return "flag";
  }
  return "";
}

std::string_view to_string(Form form) {
  switch (form) {
    case Form::kNone:
      return "none";
    case Form::kName:
      return "name";
    case Form::kContainer:
      return "container";
    case Form::kPath:
      return "path";
    case Form::kPrefix:
      return "prefix";
    case Form::kHash:
      return "hash";
    case Form::kFree:
      return "free";
  }
  return "";
}

Kind kind_of(const wire::ParameterValue& value) {
  if (std::holds_alternative<std::string>(value)) return Kind::kText;
  return std::holds_alternative<bool>(value) ? Kind::kFlag : Kind::kInteger;
}

std::string range_for_people(const ParameterSpec& spec) {
  auto out = std::to_string(spec.min) + " to " + std::to_string(spec.max);
  if (spec.kind == Kind::kText) return out + " bytes long";
  return spec.unit.empty() ? out : out.append(" ").append(spec.unit);
}

Result<void> check_value(const ParameterSpec& spec, const wire::ParameterValue& value) {
  if (kind_of(value) != spec.kind) {
    return invalid(spec.name, "must be of kind " + std::string(to_string(spec.kind)));
  }
  std::int64_t measure = 0;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (!has_form(*text, spec.form)) {
      return invalid(spec.name, "must be " + std::string(form_for_people(spec.form)));
    }
    measure = static_cast<std::int64_t>(text->size());
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    measure = *integer;
  } else {
    return {};
  }
  if (measure >= spec.min && measure <= spec.max) return {};
  return invalid(spec.name, "must be " + range_for_people(spec));
}

const ParameterSpec* spec_of(const Manifest& manifest, std::string_view name) {
  const auto& specs = manifest.parameters;
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const ParameterSpec& spec) { return spec.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

// A parameter that no manifest knows, as a runbook's policy may declare it.
Result<void> check_undeclared(std::string_view name, const wire::ParameterValue& value) {
  const bool named = !name.empty() && name.size() <= wire::kMaxParameterNameBytes &&
                     std::all_of(name.begin(), name.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                     });
  if (!named) return invalid(name, "must have a name of [a-z0-9_]{1,64}");
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || (is_free(*text) && text->size() <= wire::kMaxParameterBytes)) return {};
  return invalid(name, "must be at most 4096 bytes of UTF-8 without control characters");
}

Error unknown(const Manifest& manifest, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& spec : manifest.parameters) names.emplace_back(spec.name);
  const auto meant = text::nearest(name, names);
  return invalid(name, "is none of " + std::string(manifest.name) +
                           (meant ? ": do you mean \"" + *meant + "\"?" : ""));
}

}  // namespace

std::string canonical_text(const Manifest& manifest) {
  std::string out;
  const auto line = [&out](std::string_view name, std::string_view value) {
    out.append(name).append("=").append(value).append("\n");
  };
  line("name", manifest.name);
  line("version", std::to_string(manifest.version));
  line("tier", std::to_string(manifest.tier));
  line("undo", manifest.undo ? "true" : "false");
  line("target", manifest.target);
  line("summary", manifest.summary);
  for (const auto& spec : manifest.parameters) {
    line("parameter", spec.name);
    line("kind", to_string(spec.kind));
    line("form", to_string(spec.form));
    line("required", spec.required ? "true" : "false");
    line("min", std::to_string(spec.min));
    line("max", std::to_string(spec.max));
    line("unit", spec.unit);
    line("help", spec.help);
    if (!spec.fallback.empty()) line("fallback", spec.fallback);
  }
  return out;
}

wire::Digest manifest_hash(const Manifest& manifest) {
  return wire::digest_of(canonical_text(manifest));
}

Result<void> check_parameters(const Manifest& manifest, const wire::Parameters& parameters) {
  for (const auto& spec : manifest.parameters) {
    const auto found = parameters.find(std::string(spec.name));
    if (found != parameters.end()) {
      TRY_VOID(check_value(spec, found->second));
    } else if (spec.required) {
      return invalid(spec.name, "is missing: " + std::string(spec.help));
    }
  }
  for (const auto& [name, value] : parameters) {
    if (spec_of(manifest, name) != nullptr) continue;
    if (manifest.name != kRunbook) return unknown(manifest, name);
    TRY_VOID(check_undeclared(name, value));
  }
  return {};
}

wire::Parameters with_defaults(const Manifest& manifest, wire::Parameters parameters) {
  for (const auto& spec : manifest.parameters) {
    if (spec.fallback.empty() || parameters.contains(std::string(spec.name))) continue;
    auto value = parse_value(spec, spec.fallback);
    CHECK(value.has_value());
    parameters.emplace(spec.name, std::move(*value));
  }
  return parameters;
}

std::string target_of(const Manifest& manifest, const wire::Parameters& parameters) {
  std::string out;
  std::string_view rest = manifest.target;
  while (!rest.empty()) {
    const auto open = rest.find('{');
    const auto close = rest.find('}', std::min(open, rest.size()));
    out.append(rest.substr(0, open));
    if (close == std::string_view::npos) break;
    const auto found = parameters.find(std::string(rest.substr(open + 1, close - open - 1)));
    if (found != parameters.end()) out.append(format_value(found->second));
    rest.remove_prefix(close + 1);
  }
  return out;
}

Result<wire::ParameterValue> parse_value(const ParameterSpec& spec, std::string_view text) {
  wire::ParameterValue value{std::string(text)};
  if (spec.kind == Kind::kInteger) {
    const auto integer = text::parse_i64(text);
    if (!integer) return invalid(spec.name, "must be " + range_for_people(spec));
    value = *integer;
  } else if (spec.kind == Kind::kFlag) {
    if (text != "true" && text != "false") return invalid(spec.name, "must be true or false");
    value = text == "true";
  }
  TRY_VOID(check_value(spec, value));
  return value;
}

std::string format_value(const wire::ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  return std::get<bool>(value) ? "true" : "false";
}

}  // namespace observeai::actions
