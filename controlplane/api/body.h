// The JSON object of a request's body: unknown fields are refused, each wrong one is named.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

#include "controlplane/api/messages.h"

namespace observeai::controlplane::api {

class Body {
 public:
  // An empty body counts as {}.
  static Answer<Body> parse(std::string_view text, const std::vector<std::string>& known);

  // Required; length in bytes.
  Answer<std::string> text(const std::string& name, std::size_t least, std::size_t most) const;
  Answer<std::string> text_or(const std::string& name, std::size_t most,
                              const std::string& otherwise) const;
  Answer<std::int64_t> integer_or(const std::string& name, std::int64_t least, std::int64_t most,
                                  std::int64_t otherwise) const;
  Answer<bool> boolean_or(const std::string& name, bool otherwise) const;
  // At most `most` texts of at most `most_bytes` each; so are the names of a map.
  Answer<std::vector<std::string>> texts(const std::string& name, std::size_t most,
                                         std::size_t most_bytes) const;
  Answer<std::map<std::string, std::string>> text_map(const std::string& name, std::size_t most,
                                                      std::size_t most_bytes) const;

 private:
  const boost::json::value* find(const std::string& name) const;

  std::shared_ptr<const boost::json::object> object_;
};

}  // namespace observeai::controlplane::api
