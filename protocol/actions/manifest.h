// What an action is, for both sides: enough to build a form for it, to check its parameters, and to say what
// an approval of it means.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::actions {

enum class Kind : std::uint8_t { kText = 1, kInteger = 2, kFlag = 3 };

// How a text must look. Each excludes control characters, and what the comment does not name.
enum class Form : std::uint8_t {
  kNone = 0,       // Not a text
  kName = 1,       // Docker and systemd names: [A-Za-z0-9][A-Za-z0-9_.@:-]{0,254}, never "-" first
  kContainer = 2,  // kName, or 12 to 64 hex digits
  kPath = 3,       // Absolute, no "//", none at the end, no "." or ".." part, at most 4095 bytes
  kPrefix = 4,     // Printable ASCII without spaces, at most 256; no glob character *?[]\ in it
  kHash = 5,       // 64 lower-case hex digits
  kFree = 6,       // Printable UTF-8 without control characters
};

struct ParameterSpec {
  std::string_view name;
  Kind kind = Kind::kText;
  Form form = Form::kNone;
  bool required = false;
  std::int64_t min = 0;  // Integer: value; text: bytes
  std::int64_t max = 0;
  std::string_view unit;  // "s", "bytes", ""
  std::string_view help;
  // What it is when it is not said, as parse_value() reads it; "": nothing.
  std::string_view fallback = "";
};

struct Manifest {
  std::string_view name;  // "docker.restart"
  std::uint32_t version = 1;
  std::uint32_t tier = 0;  // 0 reads, 1 reversible on one workload, 2 wider or irreversible
  bool undo = false;       // Whether roll_back may be asked for
  std::string_view
      target;  // What it is about: "container/{container}", with a parameter's name in braces
  std::string_view summary;
  std::span<const ParameterSpec> parameters;  // Names ascend strictly
};

// One line for each fact, "name=...\n": what the hash is over.
std::string canonical_text(const Manifest& manifest);
wire::Digest manifest_hash(const Manifest& manifest);

// kInvalid with the parameter's name and what it should be. For runbooks, whose parameters are those of the
// host's own policy, only `runbook` itself and the form of the others are looked at (names [a-z0-9_]{1,64}).
Result<void> check_parameters(const Manifest& manifest, const wire::Parameters& parameters);

// The parameters that an action is done with: those that were said, and the fallbacks of the others. Who
// judges and who acts both look at these. check_parameters() passed before, and passes again.
wire::Parameters with_defaults(const Manifest& manifest, wire::Parameters parameters);

// `target` with the parameters filled in; check_parameters() passed before.
std::string target_of(const Manifest& manifest, const wire::Parameters& parameters);

// A text, an integer or a flag, as a person writes it for this parameter ("60", "true", "web"). kInvalid.
Result<wire::ParameterValue> parse_value(const ParameterSpec& spec, std::string_view text);
std::string format_value(const wire::ParameterValue& value);

}  // namespace observeai::actions
