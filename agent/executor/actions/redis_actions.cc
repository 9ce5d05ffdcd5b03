#include "agent/executor/actions/redis_actions.h"

#include <algorithm>
#include <functional>

#include "agent/executor/actions/redis_client.h"
#include "agent/executor/actions/values.h"
#include "agent/executor/facts.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxPasswordBytes = 4096;
constexpr const char* kScanCount = "1000";  // Keys that the server looks at for one answer

// Distinct keys by a 64-bit hash of each: SCAN may tell a key twice while the server resizes its table.
class KeyCount {
 public:
  explicit KeyCount(std::uint64_t max) : max_(max) {}
  // False above the maximum.
  bool add(std::string_view key) {
    hashes_.push_back(std::hash<std::string_view>{}(key));
    if (hashes_.size() <= max_) return true;
    return distinct() <= max_;
  }
  std::uint64_t distinct() {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
    return hashes_.size();
  }

 private:
  const std::uint64_t max_;
  std::vector<std::uint64_t> hashes_;
};

// A line "name:value" of INFO.
std::string info_value(std::string_view info, std::string_view name) {
  for (auto line : text::split(info, '\n')) {
    line = text::trim(line);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':')
      return std::string(line.substr(name.size() + 1));
  }
  return "";
}

struct Cache {
  std::unique_ptr<RedisClient> client;
  std::string name;
  std::string address;
  std::string prefix;
  std::string run_id;  // Of the server: another one with each start
  std::int64_t database = 0;
  std::uint64_t max_keys = 0;
};

// Calls `each` with the keys of one answer at a time, until the server has told all.
Result<void> scan(const Cache& cache,
                  const std::function<Result<void>(std::vector<std::string>)>& each) {
  const std::string glob = glob_of_prefix(cache.prefix);
  std::string cursor = "0";
  do {
    TRY(auto answer, cache.client->call({"SCAN", cursor, "MATCH", glob, "COUNT", kScanCount}));
    if (answer.items.size() != 2 || answer.items[0].kind != RedisReply::Kind::kText ||
        answer.items[1].kind != RedisReply::Kind::kList)
      return Error(Errc::kCorrupt, "redis answers SCAN with something else");
    cursor = answer.items[0].text;
    std::vector<std::string> keys;
    for (auto& item : answer.items[1].items) {
      if (!item.text.starts_with(cache.prefix))
        return Error(Errc::kCorrupt, "redis tells a key that was not asked for");
      keys.push_back(std::move(item.text));
    }
    if (!keys.empty()) {
      TRY_VOID(each(std::move(keys)));
    }
  } while (cursor != "0");
  return {};
}

Error too_many(const Cache& cache) {
  return Error(Errc::kLimit,
               "more than " + std::to_string(cache.max_keys) + " keys begin with " + cache.prefix);
}

Result<std::uint64_t> count(const Cache& cache) {
  KeyCount keys(cache.max_keys);
  TRY_VOID(scan(cache, [&](const std::vector<std::string>& some) -> Result<void> {
    const bool fits =
        std::all_of(some.begin(), some.end(), [&](const auto& key) { return keys.add(key); });
    if (!fits) return too_many(cache);
    return {};
  }));
  return keys.distinct();
}

class ClearCache final : public Action {
 public:
  explicit ClearCache(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    TRY(const Cache cache, open(parameters, run));
    TRY(const std::uint64_t keys, count(cache));
    if (keys == 0)
      return Error(Errc::kUnavailable, "no key of " + cache.name + " begins with " + cache.prefix);
    Assessment seen;
    seen.state = state_text({{"address", cache.address},
                             {"cache", cache.name},
                             {"database", std::to_string(cache.database)},
                             {"prefix", cache.prefix},
                             {"run_id", cache.run_id}});
    seen.diff = {change(cache, 0)};
    seen.facts = {{facts::kKeys, std::to_string(keys)}};
    return seen;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment&, Run& run) override {
    removed_ = 0;
    TRY(const Cache cache, open(parameters, run));
    run.step("unlink", cache.prefix + "*");
    return scan(cache, [&](std::vector<std::string> keys) -> Result<void> {
      // Keys that come while they go must not make this endless.
      if (removed_ + keys.size() > cache.max_keys) return too_many(cache);
      keys.insert(keys.begin(), "UNLINK");
      TRY(const RedisReply reply, cache.client->call(keys));
      if (reply.kind != RedisReply::Kind::kInteger || reply.integer < 0)
        return Error(Errc::kCorrupt, "redis answers UNLINK with something else");
      removed_ += static_cast<std::uint64_t>(reply.integer);
      return {};
    });
  }

  // Keys that were there all the time are gone: SCAN tells each of them. What is left was written meanwhile,
  // and is told.
  Result<std::vector<wire::Change>> verify(const wire::Parameters& parameters, const Assessment&,
                                           Run& run) override {
    TRY(const Cache cache, open(parameters, run));
    TRY(const std::uint64_t left, count(cache));
    run.step("unlinked", std::to_string(removed_) + " keys");
    return std::vector<wire::Change>{change(cache, left)};
  }

 private:
  // What is approved is a bound: how many keys a cache in use has is another number each second.
  static wire::Change change(const Cache& cache, std::uint64_t left) {
    return {"keys " + cache.prefix + "* in database " + std::to_string(cache.database) + " of " +
                cache.name,
            "at most " + std::to_string(cache.max_keys),
            left == 0 ? "0" : std::to_string(left) + ", written meanwhile"};
  }

  Result<Cache> open(const wire::Parameters& parameters, const Run& run) const {
    Cache cache;
    cache.name = parameter<std::string>(parameters, "cache", "");
    cache.prefix = parameter<std::string>(parameters, "prefix", "");
    cache.database = parameter<std::int64_t>(parameters, "database");
    cache.max_keys = static_cast<std::uint64_t>(
        std::max<std::int64_t>(parameter<std::int64_t>(parameters, "max_keys"), 0));
    const auto found = host_.lists.caches.find(cache.name);
    if (found == host_.lists.caches.end())
      return Error(Errc::kDenied, "the policy lists no cache \"" + cache.name + "\"");
    const SiteLists::Redis& site = found->second;
    if (cache.prefix.empty() ||
        std::find(site.prefixes.begin(), site.prefixes.end(), cache.prefix) == site.prefixes.end())
      return Error(Errc::kDenied, "the policy does not list the prefix \"" + cache.prefix +
                                      "\" for " + cache.name);
    cache.address = site.address;
    TRY(cache.client, RedisClient::connect(site.address, run));
    TRY_VOID(log_in(*cache.client, site));
    TRY_VOID(check_server(cache));
    TRY(const auto selected, cache.client->call({"SELECT", std::to_string(cache.database)}));
    if (selected.text != "OK")
      return Error(Errc::kCorrupt, "redis answers SELECT with something else");
    return cache;
  }
  static Result<void> log_in(RedisClient& client, const SiteLists::Redis& site) {
    if (site.password_file.empty()) return {};
    TRY(const std::string password, files::read(site.password_file, kMaxPasswordBytes));
    TRY(const auto answer, client.call({"AUTH", std::string(text::trim(password))}));
    if (answer.text == "OK") return {};
    return Error(Errc::kDenied, "redis does not take the password");
  }
  static Result<void> check_server(Cache& cache) {
    TRY(const auto role, cache.client->call({"ROLE"}));
    if (role.items.empty() || role.items[0].text != "master")
      return Error(Errc::kDenied,
                   cache.address + " is not a primary: keys go there by replication");
    TRY(const auto cluster, cache.client->call({"INFO", "cluster"}));
    if (info_value(cluster.text, "cluster_enabled") != "0")
      return Error(Errc::kDenied, cache.address + " is one of a cluster, and holds some keys only");
    TRY(const auto server, cache.client->call({"INFO", "server"}));
    cache.run_id = info_value(server.text, "run_id");
    if (cache.run_id.empty()) return Error(Errc::kCorrupt, "redis does not tell its run_id");
    return {};
  }

  const Host& host_;
  std::uint64_t removed_ = 0;  // By the latest execute()
};

}  // namespace

std::string glob_of_prefix(std::string_view prefix) {
  std::string out;
  for (const char c : prefix) {
    if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out + "*";
}

void add_redis_actions(const Host& host, Actions& actions) {
  actions.emplace("cache.clear", std::make_unique<ClearCache>(host));
}

}  // namespace observeai::agent::executor
