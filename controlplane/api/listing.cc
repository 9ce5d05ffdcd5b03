#include "controlplane/api/listing.h"

#include <array>
#include <cstdio>

#include <boost/json.hpp>

#include "controlplane/api/to_json.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::size_t kMaxCursorBytes = 4096;

}  // namespace

std::string list_key(const AgentId& agent, const std::string& rest) {
  return agent.value() + " " + rest;
}

std::string list_key(std::int64_t ms, const std::string& rest) {
  std::array<char, 24> digits{};
  std::snprintf(digits.data(), digits.size(), "%020lld", static_cast<long long>(ms));
  return digits.data() + (" " + rest);
}

Answer<Listing> Listing::create(const Params& params) {
  Listing page;
  TRY(const auto limit, params.integer("limit", 1, kMaxRows, kDefaultRows));
  page.limit_ = static_cast<std::size_t>(limit);
  const std::string cursor = params.text("after");
  const auto key = text::from_base64url(cursor);
  if (!key || cursor.size() > kMaxCursorBytes)
    return bad_parameter("after", "is not a cursor", "take `next` of the reply before");
  page.after_.assign(key->begin(), key->end());
  return page;
}

bool Listing::is_before(const AgentId& agent) const {
  constexpr char kAfterSeparator = ' ' + 1;
  return !after_.empty() && agent.value() + kAfterSeparator <= after_;
}

bool Listing::wants(const std::string& key) {
  if (has_more_ || (!after_.empty() && key <= after_)) return false;
  has_more_ = count_ == limit_;
  key_ = key;
  return !has_more_;
}

void Listing::add(const boost::json::object& row) {
  const std::string text = boost::json::serialize(row);
  if (count_ > 0 && rows_.size() + text.size() > kMaxReplyBytes) {
    has_more_ = true;
    return;
  }
  if (count_ > 0) rows_ += ',';
  rows_ += text;
  ++count_;
  last_ = key_;
}

Reply Listing::reply(boost::json::object rest, const std::string& name) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(last_.data());
  rest["next"] = has_more_ ? text::to_base64url({bytes, last_.size()}) : "";
  std::string text = boost::json::serialize(rest);
  text.back() = ',';  // Was the closing brace
  return text_reply(text + "\"" + name + "\":[" + rows_ + "]}");
}

}  // namespace observeai::controlplane::api
