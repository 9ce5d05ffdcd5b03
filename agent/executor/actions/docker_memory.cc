// docker.update_memory
#include <boost/json.hpp>
#include <optional>

#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/actions/values.h"
#include "agent/executor/facts.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace {

struct Limits {
  std::int64_t memory = 0;
  std::int64_t memory_swap = 0;  // Both together; -1: no limit, 0: not set
};

// The container keeps the swap that it has: as much as before, or without limit.
Limits limits_for(std::int64_t memory, const Limits& before) {
  const std::int64_t swap = before.memory_swap - before.memory;
  return {memory, before.memory_swap <= 0 ? before.memory_swap : memory + swap};
}

Limits limits_of(const Container& container) {
  return {container.memory_bytes, container.memory_swap_bytes};
}

std::vector<wire::Change> changes(const std::string& name, const Limits& before,
                                  const Limits& after) {
  std::vector<wire::Change> out;
  const auto add = [&](const std::string& what, std::int64_t from, std::int64_t to) {
    if (from == to) return;
    out.push_back(
        {what + " of " + name, std::to_string(from) + " bytes", std::to_string(to) + " bytes"});
  };
  add("memory limit", before.memory, after.memory);
  add("memory and swap limit", before.memory_swap, after.memory_swap);
  return out;
}

// "MemAvailable:   12345 kB"
Result<std::int64_t> memory_free_bytes(const std::string& proc_root) {
  TRY(const std::string text, files::read(proc_root + "/meminfo", 64U << 10));
  constexpr std::string_view kName = "MemAvailable:";
  for (const auto line : text::split(text, '\n')) {
    if (line.substr(0, kName.size()) != kName) continue;
    const auto rest = text::trim(line.substr(kName.size()));
    const auto kib = text::parse_u64(rest.substr(0, rest.find(' ')));
    if (kib && *kib < (1ULL << 50)) return static_cast<std::int64_t>(*kib * 1024);
  }
  return Error(Errc::kUnavailable, "the host does not say how much memory is available");
}

// A tenth more than what is asked for must be there: a host without memory kills whom it likes.
std::int64_t with_reserve(std::int64_t bytes) {
  return bytes + bytes / 10;
}

class UpdateMemory final : public Action {
 public:
  explicit UpdateMemory(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, resolve_target(api, text_parameter(parameters, "container")));
    const Limits before = limits_of(container);
    const Limits after = limits_for(parameter<std::int64_t>(parameters, "memory_bytes"), before);
    TRY(const std::int64_t free_bytes, memory_free_bytes(host_.proc_root));
    TRY_VOID(check(api, container, after.memory, free_bytes));
    Assessment out;
    out.target = container_target(container);
    out.state = container_state(container, {{"memory", std::to_string(before.memory)},
                                            {"memory_swap", std::to_string(before.memory_swap)}});
    out.diff = changes(container.name, before, after);
    TRY(out.facts,
        container_facts(api, container, {{facts::kMemoryFree, std::to_string(free_bytes)}}));
    return out;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, assessed_container(api, seen));
    started_before_ = container.started_at;
    run.step("change the limit", container.id);
    TRY_VOID(update(
        api, container.id,
        limits_for(parameter<std::int64_t>(parameters, "memory_bytes"), limits_of(container))));
    run.finish_step();
    return {};
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters& parameters,
                                           const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Limits before, limits_before(seen));
    run.step("look whether it stays well");
    TRY(const Container now, wait_until_well(api, state_value(seen.state, "id"), run));
    run.finish_step();
    if (now.started_at != started_before_) {
      return Error(Errc::kUnavailable, now.name + " did not live through the change");
    }
    if (now.memory_bytes != parameter<std::int64_t>(parameters, "memory_bytes")) {
      return Error(Errc::kUnavailable, "the engine says another limit than was asked for: " +
                                           std::to_string(now.memory_bytes));
    }
    return changes(now.name, before, limits_of(now));
  }

  Result<void> undo(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Limits before, limits_before(seen));
    run.step("change the limit back");
    TRY_VOID(update(api, state_value(seen.state, "id"), before));
    run.finish_step();
    return {};
  }

 private:
  static Result<Limits> limits_before(const Assessment& seen) {
    const auto memory = text::parse_i64(state_value(seen.state, "memory"));
    const auto memory_swap = text::parse_i64(state_value(seen.state, "memory_swap"));
    if (!memory || !memory_swap) return Error(Errc::kCorrupt, "the assessment has no limits");
    return Limits{*memory, *memory_swap};
  }

  static Result<void> check(DockerApi& api, const Container& container, std::int64_t wanted,
                            std::int64_t free_bytes) {
    const auto refuse = [&](const std::string& why) {
      return Error(Errc::kUnavailable, container.name + " " + why);
    };
    if (container.phase != Phase::kUp) return refuse("does not run");
    // The engine cannot take a limit away again: there would be no way back.
    if (container.memory_bytes <= 0) return refuse("has no memory limit");
    if (container.memory_bytes == wanted) return refuse("has this memory limit already");
    if (wanted > container.memory_bytes) {
      const std::int64_t needed = with_reserve(wanted - container.memory_bytes);
      if (free_bytes >= needed) return {};
      return refuse("would get " + std::to_string(wanted - container.memory_bytes) +
                    " bytes more; with a tenth in reserve the host has too few: " +
                    std::to_string(free_bytes) + " available");
    }
    TRY(const std::string stats,
        api.get("/containers/" + container.id + "/stats?stream=false&one-shot=true"));
    TRY(const std::uint64_t used, parse_memory_use(stats));
    if (with_reserve(static_cast<std::int64_t>(used)) <= wanted) return {};
    return refuse("uses " + std::to_string(used) +
                  " bytes: with a tenth in reserve that is more than the limit wanted");
  }

  static Result<void> update(DockerApi& api, const std::string& id, const Limits& limits) {
    boost::json::object body;
    body["Memory"] = limits.memory;
    if (limits.memory_swap != 0) body["MemorySwap"] = limits.memory_swap;
    TRY_VOID(api.post("/containers/" + id + "/update", boost::json::serialize(body)));
    return {};
  }

  const Host& host_;
  std::string started_before_;
};

}  // namespace

void add_docker_memory(const Host& host, Actions& actions) {
  actions["docker.update_memory"] = std::make_unique<UpdateMemory>(host);
}

}  // namespace observeai::agent::executor
