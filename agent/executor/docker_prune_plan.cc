#include "agent/executor/docker_prune_plan.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "agent/executor/docker_answers.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

bool has_names(const json::object& image, std::string_view key) {
  const json::array& names = array_at(image, key);
  return std::any_of(names.begin(), names.end(), [](const json::value& name) {
    return text_of(name).substr(0, 6) != "<none>";
  });
}

bool is_record_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

// 0: never, or not told.
std::int64_t time_s_at(const json::object& object, std::string_view key) {
  const auto ns = text::parse_rfc3339_ns(text_at(object, key));
  return ns ? std::max<std::int64_t>(*ns / 1'000'000'000, 0) : 0;
}

}  // namespace

Result<std::vector<Stored>> parse_images(std::string_view text) {
  TRY(const json::array images, parse_array(text));
  std::vector<Stored> out;
  for (const auto& value : images) {
    if (!value.is_object()) return Error(Errc::kCorrupt, "an entry that is no object");
    const json::object& image = value.get_object();
    Stored one;
    one.id = std::string(text_at(image, "Id"));
    if (!is_image_id(one.id)) return Error(Errc::kCorrupt, "an image without an id");
    one.parent = std::string(text_at(image, "ParentId"));
    one.used_s = integer_at(image, "Created");
    one.bytes = integer_at(image, "Size");
    one.unclaimed =
        one.used_s > 0 && !has_names(image, "RepoTags") && !has_names(image, "RepoDigests");
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<Stored>> parse_build_cache(std::string_view text) {
  TRY(const json::object usage, parse_object(text));
  std::vector<Stored> out;
  for (const auto& value : array_at(usage, "BuildCache")) {
    if (!value.is_object()) return Error(Errc::kCorrupt, "an entry that is no object");
    const json::object& record = value.get_object();
    Stored one;
    one.id = std::string(text_at(record, "ID"));
    if (!is_record_name(one.id)) return Error(Errc::kCorrupt, "a cache record without a name");
    one.parent = std::string(text_at(record, "Parent"));
    one.used_s = std::max(time_s_at(record, "LastUsedAt"), time_s_at(record, "CreatedAt"));
    one.bytes = integer_at(record, "Size");
    one.unclaimed = one.used_s > 0 && !flag_at(record, "InUse") && !flag_at(record, "Shared");
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<Stored> removable(const std::vector<Stored>& all, const std::set<std::string>& in_use,
                              std::int64_t before_s, std::size_t limit) {
  std::map<std::string, std::size_t> children;  // That stay, so far
  for (const auto& one : all) ++children[one.parent];
  std::vector<Stored> waiting;
  for (const auto& one : all) {
    if (one.unclaimed && one.used_s <= before_s && !in_use.contains(one.id)) waiting.push_back(one);
  }
  std::sort(waiting.begin(), waiting.end(),
            [](const Stored& a, const Stored& b) { return a.id < b.id; });
  std::vector<Stored> out;
  for (bool found = true; found;) {
    found = false;
    for (auto one = waiting.begin(); one != waiting.end() && out.size() < limit;) {
      if (children[one->id] > 0) {
        ++one;
        continue;
      }
      --children[one->parent];
      out.push_back(std::move(*one));
      one = waiting.erase(one);
      found = true;
    }
  }
  return out;
}

}  // namespace observeai::agent::executor
