// Commands and what belongs to them, from a broker, a socket or a file. What decodes has exactly these
// bytes, keeps the bounds that others rely on, and its parameters pass or fail a manifest without harm.
#include <cstdlib>
#include <string_view>

#include "protocol/actions/catalogue.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

template <class Decode, class Encode>
auto one_form(std::string_view bytes, Decode decode, Encode encode) {
  auto value = decode(bytes);
  if (!value && value.error().code() != Errc::kCorrupt) std::abort();
  if (value && encode(*value).value() != bytes) std::abort();
  return value;
}

void check_intent(const Intent& intent) {
  const auto* manifest = actions::find(intent.action);
  if (manifest == nullptr || !actions::check_parameters(*manifest, intent.parameters)) return;
  const auto target = actions::target_of(*manifest, intent.parameters);
  if (target.empty() || target.size() > kMaxTargetBytes) std::abort();
  for (const auto& spec : manifest->parameters) {
    const auto found = intent.parameters.find(std::string(spec.name));
    if (found == intent.parameters.end()) continue;
    const auto written = actions::format_value(found->second);
    if (actions::parse_value(spec, written).value() != found->second) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto intent = one_form(bytes, decode_intent, encode_intent);
  if (intent) check_intent(*intent);
  const auto command = one_form(bytes, decode_command, encode_command);
  if (command) {
    if (!decode_intent(command->intent)) std::abort();
    // Nobody finds a preimage.
    if (signing::verify_merkle_path(command->intent, command->batch_index, command->batch_size,
                                    command->path, command->batch_root)) {
      std::abort();
    }
  }
  const auto result = one_form(bytes, decode_result, encode_result);
  if (result && diff_digest(result->diff) == Digest{}) std::abort();
  ignore(one_form(bytes, decode_approval, encode_approval), "looked at already");
  ignore(one_form(bytes, decode_time, encode_time), "looked at already");
  ignore(one_form(bytes, decode_audit_head, encode_audit_head), "looked at already");
  ignore(one_form(bytes, decode_meta, encode_meta), "looked at already");

  static const auto agent = AgentId::parse("web-01").value();
  static const signing::SealingKey key({9, 9});
  if (open_command(bytes, agent, key) || open_meta(bytes, agent, key)) std::abort();
  return 0;
}
