// One page of a list that may be long: bounded in rows and in bytes, continued by a cursor that stays
// right while rows come and go.
#pragma once

#include <cstdint>
#include <string>

#include <boost/json/fwd.hpp>

#include "controlplane/api/params.h"
#include "controlplane/api/queries.h"

namespace observeai::controlplane::api {

inline constexpr std::int64_t kDefaultRows = 1000;

// Orders as the pair of both does: the separator is less than any character of an id.
std::string list_key(const AgentId& agent, const std::string& rest);
std::string list_key(std::int64_t ms, const std::string& rest);

// Offer every row in ascending order of its key: if (page.wants(key)) page.add(row).
class Listing {
 public:
  // From the parameters `limit` and `after`.
  static Answer<Listing> create(const Params& params);

  // Of keys list_key(agent, ...): none of the agent's is wanted, they all lie on earlier pages.
  bool is_before(const AgentId& agent) const;
  bool wants(const std::string& key);
  void add(const boost::json::object& row);
  bool has_more() const { return has_more_; }

  // {..., "next": cursor or "", "<name>": [rows]}
  Reply reply(boost::json::object rest, const std::string& name);

 private:
  std::size_t limit_ = 0;
  std::string after_;
  std::string key_;   // Of the row that was asked for
  std::string last_;  // Of the row that was added
  std::string rows_;  // As JSON, for a tree of it takes many times as much
  std::size_t count_ = 0;
  bool has_more_ = false;
};

}  // namespace observeai::controlplane::api
