// What would help, and what counts as help.
#include "controlplane/outlook/suggestions.h"

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::outlook {
namespace {

using predict::Kind;

struct Host {
  model::HostInventory inventory;
  Host() {
    auto& container = inventory.containers.emplace_back();
    container.id = std::string(64, 'a');
    container.name = "shop";
    container.memory_limit_bytes = 100 << 20;
    auto& odd = inventory.containers.emplace_back();
    odd.id = std::string(64, 'b');
    odd.name = "-x; rm";
    odd.memory_limit_bytes = 100 << 20;
    auto& group = inventory.processes.emplace_back();
    group.key = "nginx.service/nginx";
    group.name = "nginx";
    group.unit = "nginx.service";
  }
};

predict::Reading reading(Kind kind, const std::string& target, const std::string& instance = "") {
  predict::Reading out;
  out.kind = kind;
  out.target = target;
  out.instance = instance;
  out.limit = 1e12;
  return out;
}

std::string words(const std::vector<model::SuggestedAction>& actions) {
  std::string out;
  for (const auto& one : actions) {
    out += (out.empty() ? "" : "; ") + one.action;
    for (const auto& [name, value] : one.parameters) out += " " + name + "=" + value;
  }
  return out;
}

TEST_CASE("what helps against what, with every parameter that it needs") {
  const Host host;
  const std::string shop = "container/" + std::string(64, 'a');
  const auto of = [&](const predict::Reading& one) {
    return words(suggestions_for(one, &host.inventory));
  };
  CHECK(
      of(reading(Kind::kContainerMemory, shop)) ==
      "docker.restart container=shop; docker.update_memory container=shop memory_bytes=157286400; "
      "collect.diagnostics");
  CHECK(of(reading(Kind::kDiskBytes, "host", "/")) ==
        "disk.vacuum_journal keep_bytes=134217728; docker.prune older_than_h=24; disk.vacuum_files "
        "directory=/var/log older_than_h=24; collect.diagnostics");
  CHECK(of(reading(Kind::kDiskInodes, "host", "/data")) ==
        "disk.vacuum_files directory=/data older_than_h=24; collect.diagnostics");
  CHECK(of(reading(Kind::kFileHandles, "process/nginx.service/nginx")) ==
        "systemd.restart unit=nginx.service; collect.diagnostics");
  CHECK(of(reading(Kind::kPids, shop)) == "docker.restart container=shop; collect.diagnostics");
  CHECK(of(reading(Kind::kConnections, "host")) == "collect.diagnostics");
  CHECK(of(reading(Kind::kHostMemory, "host")) == "collect.diagnostics");
}

TEST_CASE("a name that the catalogue does not take is not suggested") {
  const Host host;
  const auto odd = "container/" + std::string(64, 'b');
  CHECK(words(suggestions_for(reading(Kind::kContainerMemory, odd), &host.inventory)) ==
        "collect.diagnostics");
  CHECK(words(suggestions_for(reading(Kind::kContainerMemory, odd), nullptr)) ==
        "collect.diagnostics");
  CHECK(words(suggestions_for(reading(Kind::kDiskBytes, "host", "/a/../b"), nullptr)) ==
        "collect.diagnostics");
}

TEST_CASE("which actions are on a resource") {
  const Host host;
  const auto agent = AgentId::parse("web-01").value();
  const std::string shop = "container/" + std::string(64, 'a');
  const model::ResourceName memory{agent, "container_memory", shop, ""};
  const model::ResourceName disk{agent, "disk", "host", "/"};
  const model::ResourceName handles{agent, "file_handles", "process/nginx.service/nginx", ""};
  const model::ResourceName host_memory{agent, "host_memory", "host", ""};
  const auto* all = &host.inventory;
  CHECK(acts_on("docker.restart", "container/shop", memory, all));
  CHECK(acts_on("docker.restart", "container/aaaaaaaaaaaa", memory, all));
  CHECK_FALSE(acts_on("docker.restart", "container/shop2", memory, all));
  CHECK_FALSE(acts_on("disk.vacuum_journal", "journal", memory, all));
  CHECK(acts_on("disk.vacuum_journal", "journal", disk, all));
  CHECK(acts_on("docker.prune", "docker", disk, all));
  CHECK_FALSE(acts_on("docker.restart", "container/shop", disk, all));
  CHECK(acts_on("systemd.restart", "unit/nginx.service", handles, all));
  CHECK_FALSE(acts_on("systemd.restart", "unit/other.service", handles, all));
  CHECK(acts_on("docker.restart", "container/shop", host_memory, all));
  // What only reads helps nobody.
  CHECK_FALSE(acts_on("collect.diagnostics", "host", host_memory, all));
  CHECK_FALSE(acts_on("collect.diagnostics", "host", disk, all));
}

}  // namespace
}  // namespace observeai::controlplane::outlook
