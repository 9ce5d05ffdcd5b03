// docker.prune: what was listed and approved is removed, one by one by its id; never a volume, a
// container or a network.
#include <boost/json.hpp>

#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/actions/values.h"
#include "agent/executor/docker_prune_plan.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

// Together below wire::kMaxChanges; what is left goes with the next command.
constexpr std::size_t kMaxImages = 200;
constexpr std::size_t kMaxRecords = 50;

struct Rubbish {
  std::vector<Stored> images;
  std::vector<Stored> records;
};

wire::Change change(const char* kind, const Stored& one) {
  return {kind + one.id, std::to_string(one.bytes) + " bytes", "removed"};
}

class Prune final : public Action {
 public:
  explicit Prune(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Rubbish rubbish, look(api, parameters));
    Assessment out;
    std::string ids;
    for (const auto& one : rubbish.images) {
      out.diff.push_back(change("image ", one));
      ids += one.id + "\n";
    }
    for (const auto& one : rubbish.records) {
      out.diff.push_back(change("build cache ", one));
      ids += one.id + "\n";
    }
    if (out.diff.empty()) return Error(Errc::kUnavailable, "there is nothing to remove");
    out.state =
        "count=" + std::to_string(out.diff.size()) + "\nlist=" + signing::sha256_hex(ids) + "\n";
    return out;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(planned_, look(api, parameters));
    std::vector<wire::Change> diff;
    for (const auto& one : planned_.images) diff.push_back(change("image ", one));
    for (const auto& one : planned_.records) diff.push_back(change("build cache ", one));
    if (diff != seen.diff) return Error(Errc::kUnavailable, "the list has changed");
    if (!planned_.images.empty()) run.step("remove images");
    for (const auto& one : planned_.images) {
      // Not by force: one that is in use by now stays. Without its parents: they are in the list.
      TRY_VOID(api.remove("/images/" + percent_encoded(one.id) + "?noprune=1"));
    }
    if (!planned_.records.empty()) run.step("remove build cache");
    for (const auto& one : planned_.records) {
      json::object wanted;
      wanted["id"] = json::array{one.id};
      TRY_VOID(api.post("/build/prune?all=1&filters=" + percent_encoded(json::serialize(wanted))));
    }
    run.finish_step();
    return {};
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters& parameters, const Assessment&,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const auto images, images_now(api));
    std::set<std::string> left;
    for (const auto& one : images) left.insert(one.id);
    if (parameter<bool>(parameters, "build_cache")) {
      TRY(const auto records, records_now(api));
      for (const auto& one : records) left.insert(one.id);
    }
    std::vector<wire::Change> out;
    for (const auto& one : planned_.images) {
      if (!left.contains(one.id)) out.push_back(change("image ", one));
    }
    for (const auto& one : planned_.records) {
      if (!left.contains(one.id)) out.push_back(change("build cache ", one));
    }
    const std::size_t planned = planned_.images.size() + planned_.records.size();
    if (out.size() != planned) {
      return Error(Errc::kUnavailable, std::to_string(planned - out.size()) + " of " +
                                           std::to_string(planned) + " are still there");
    }
    return out;
  }

 private:
  static Result<std::vector<Stored>> images_now(DockerApi& api) {
    TRY(const std::string answer, api.get("/images/json?all=1"));
    return parse_images(answer);
  }
  static Result<std::vector<Stored>> records_now(DockerApi& api) {
    TRY(const std::string answer, api.get("/system/df"));
    return parse_build_cache(answer);
  }

  Result<Rubbish> look(DockerApi& api, const wire::Parameters& parameters) const {
    const std::int64_t hours = parameter<std::int64_t>(parameters, "older_than_h");
    const std::int64_t before_s = host_.clock->unix_ms() / 1'000 - hours * 3'600;
    TRY(const std::string answer, api.get("/containers/json?all=1"));
    TRY(const auto containers, parse_containers(answer));
    std::set<std::string> in_use;
    for (const auto& one : containers) in_use.insert(one.image_id);
    Rubbish out;
    TRY(const auto images, images_now(api));
    out.images = removable(images, in_use, before_s, kMaxImages);
    if (parameter<bool>(parameters, "build_cache")) {
      TRY(const auto records, records_now(api));
      out.records = removable(records, {}, before_s, kMaxRecords);
    }
    return out;
  }

  const Host& host_;
  Rubbish planned_;
};

}  // namespace

void add_docker_prune(const Host& host, Actions& actions) {
  actions["docker.prune"] = std::make_unique<Prune>(host);
}

}  // namespace observeai::agent::executor
