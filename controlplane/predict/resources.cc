#include "controlplane/predict/resources.h"

#include <algorithm>
#include <array>

namespace observeai::predict {
namespace {

struct Named {
  Kind kind;
  std::string_view name;
};
constexpr std::array kNames = {
    Named{Kind::kContainerMemory, "container_memory"},
    Named{Kind::kHostMemory, "host_memory"},
    Named{Kind::kDiskBytes, "disk"},
    Named{Kind::kDiskInodes, "inodes"},
    Named{Kind::kFileHandles, "file_handles"},
    Named{Kind::kPids, "pids"},
    Named{Kind::kConnections, "connections"},
    Named{Kind::kCertificate, "certificate"},
    Named{Kind::kErrors, "errors"},
};

}  // namespace

std::string_view name(Kind kind) {
  const auto found = std::ranges::find(kNames, kind, &Named::kind);
  return found == kNames.end() ? std::string_view{} : found->name;
}

std::optional<Kind> kind_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &Named::name);
  if (found == kNames.end()) {
    return std::nullopt;
  }
  return found->kind;
}

}  // namespace observeai::predict
