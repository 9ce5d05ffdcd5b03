// What the Docker engine answers to the executor, and what the agent asks the gateway: the first byte
// chooses a parser.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/executor/docker_answers.h"
#include "agent/executor/docker_prune_plan.h"
#include "agent/executor/docker_recreate.h"
#include "agent/executor/gateway_request.h"
#include "protocol/base/text.h"

using namespace observeai::agent::executor;
using observeai::ignore;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_container(const Container& container) {
  require(is_container_id(container.id));
  require(is_image_id(container.image_id));
  require(is_container_name(container.name));
  require(container.configuration_hash.size() == 64);
  require(observeai::text::is_valid_utf8(container.service));
  // The same once more: what an approval covers does not depend on the order of keys.
  const boost::json::object again = configuration_of(container.document);
  const std::string text = canonical_json(boost::json::value(again));
  const auto read = parse_object(text);
  require(read.has_value() && canonical_json(boost::json::value(*read)) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 16) {
    case 0: {
      const auto container = parse_container(text);
      if (container) check_container(*container);
      break;
    }
    case 1: {
      const auto containers = parse_containers(text);
      if (!containers) break;
      for (const auto& container : *containers) require(is_container_id(container.id));
      break;
    }
    case 2: {
      const auto version = parse_api_version(text);
      if (version) require(version->size() <= 24);
      break;
    }
    case 3:
      ignore(parse_swap_limit(text), "bytes of anybody");
      break;
    case 4:
      ignore(parse_memory_use(text), "bytes of anybody");
      break;
    case 6: {
      const auto image = parse_image(text);
      if (image) require(is_image_id(image->id) && is_named(*image, image->id));
      break;
    }
    case 7: {
      const auto three = parse_object(text);
      if (!three) break;
      const Image from{"a", "linux/amd64", {}, object_at(*three, "from")};
      const Image to{"b", "linux/amd64", {}, object_at(*three, "to")};
      const auto& inspect = object_at(*three, "inspect");
      const auto plan = plan_recreation(inspect, from, to, "web:1");
      if (!plan) break;
      require(parse_object(plan->create).has_value());
      require(changes_between("web", plan->before, plan->before).empty());
      require(plan->before == plan->expected ||
              !changes_between("web", plan->before, plan->expected).empty());
      break;
    }
    case 8: {
      const auto cache = parse_build_cache(text);
      if (cache) require(removable(*cache, {}, INT64_MAX, 5).size() <= 5);
      break;
    }
    case 9: {
      const auto images = parse_images(text);
      if (images) require(removable(*images, {}, INT64_MAX, 1'000).size() <= images->size());
      break;
    }
    case 10: {
      const auto verdict = judge_request(text);
      if (!verdict) break;
      require(verdict->request.has_value() == verdict->refusal.empty());
      if (!verdict->request) break;
      // What goes on is asked for once more and is then the same.
      const auto again = judge_request("GET " + verdict->request->target + " HTTP/1.1\r\n\r\n");
      require(again && again->request && again->request->target == verdict->request->target);
      break;
    }
    case 11: {
      const auto reduced = reduced_container(text);
      if (!reduced) break;
      const auto all = parse_object(*reduced);
      require(all && value_at(object_at(*all, "Config"), "Env") == nullptr);
      require(reduced_container(*reduced).value() == *reduced);
      require(container_answer(text).substr(0, 9) == "HTTP/1.1 ");
      break;
    }
    default:
      require(parse_message(text).size() <= 303);
  }
  return 0;
}
