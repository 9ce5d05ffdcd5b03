#include "controlplane/outlook/happenings.h"

#include <algorithm>

#include "controlplane/predict/resources.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::outlook {
namespace {

constexpr std::string_view kContainers = "container/";

std::string attribute(const wire::Event& event, std::string_view name) {
  const auto found = std::ranges::find(event.attributes, name, &wire::Label::name);
  return found == event.attributes.end() ? "" : found->value;
}

// What a shell and an engine make of INT, KILL and TERM, and of a program that ends itself well.
bool is_error(const std::string& exit_code) {
  const auto code = text::parse_u64(exit_code);
  return code && *code != 0 && *code != 130 && *code != 137 && *code != 143;
}

}  // namespace

std::optional<Happening> happening_of(const model::EventRow& row) {
  using predict::Kind;
  const auto& event = row.event;
  Happening out{row.agent, event.target, "", event.ts_ms, event.message};
  const bool is_container = event.target.starts_with(kContainers);
  if (event.kind == "container.oom") {
    out.kind = name(Kind::kContainerMemory);
    return out;
  }
  if (event.kind == "oom.kill" || event.kind == "oom.unattributed") {
    const bool by_limit = attribute(event, "constraint") == "limit";
    if (by_limit && !is_container) return std::nullopt;  // Of a unit: its limit is not followed
    out.kind = name(by_limit ? Kind::kContainerMemory : Kind::kHostMemory);
    if (!by_limit) out.target = wire::kHostTarget;
    return out;
  }
  if (event.kind == "unit.restart") return out;
  if (event.kind == "container.exit" && is_container) {
    if (attribute(event, "oom") == "true") {
      out.kind = name(Kind::kContainerMemory);
      return out;
    }
    if (is_error(attribute(event, "exit_code"))) return out;
  }
  return std::nullopt;
}

bool concerns(const Happening& happening, const model::ResourceName& resource, double share) {
  if (happening.agent != resource.agent || happening.target != resource.target) return false;
  if (!happening.kind.empty()) return happening.kind == resource.kind;
  return resource.kind == name(predict::Kind::kErrors) || share >= kNearlyExhausted;
}

}  // namespace observeai::controlplane::outlook
