#include "controlplane/api/body.h"

#include <boost/json.hpp>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 8;

}  // namespace

Answer<Body> Body::parse(std::string_view text, const std::vector<std::string>& known) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::error_code error;
  json::value value = json::object();
  if (!text::trim(text).empty()) value = json::parse(text, error, {}, options);
  if (error) return Problem(400, Errc::kInvalid, "the body is not JSON: " + error.message());
  if (!value.is_object()) return Problem(400, Errc::kInvalid, "the body must be a JSON object");
  for (const auto& field : value.get_object()) {
    const std::string name(field.key());
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const auto near = text::nearest(name, known);
    return bad_parameter(log::printable(name, 80), "is not a field of this request",
                         near ? "did you mean " + *near + "?" : "");
  }
  Body body;
  body.object_ = std::make_shared<const json::object>(std::move(value.get_object()));
  return body;
}

const json::value* Body::find(const std::string& name) const {
  const auto* value = object_->if_contains(name);
  return value != nullptr && value->is_null() ? nullptr : value;
}

Answer<std::string> Body::text(const std::string& name, std::size_t least, std::size_t most) const {
  const auto* value = find(name);
  if (value == nullptr) return bad_parameter(name, "is missing");
  if (!value->is_string()) return bad_parameter(name, "must be text");
  const auto& text = value->get_string();
  if (text.size() < least || text.size() > most || !text::is_valid_utf8(std::string_view(text))) {
    return bad_parameter(name, "must be text of " + std::to_string(least) + " to " +
                                   std::to_string(most) + " bytes");
  }
  return std::string(text);
}

Answer<std::string> Body::text_or(const std::string& name, std::size_t most,
                                  const std::string& otherwise) const {
  if (find(name) == nullptr) return otherwise;
  return text(name, 0, most);
}

Answer<std::int64_t> Body::integer_or(const std::string& name, std::int64_t least,
                                      std::int64_t most, std::int64_t otherwise) const {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  json::error_code error;
  const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : 0;
  if (!value->is_number() || error || number < least || number > most) {
    return bad_parameter(name, "must be a whole number from " + std::to_string(least) + " to " +
                                   std::to_string(most));
  }
  return number;
}

Answer<bool> Body::boolean_or(const std::string& name, bool otherwise) const {
  const auto* value = find(name);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) return bad_parameter(name, "must be true or false");
  return value->get_bool();
}

Answer<std::vector<std::string>> Body::texts(const std::string& name, std::size_t most,
                                             std::size_t most_bytes) const {
  std::vector<std::string> out;
  const auto* value = find(name);
  if (value == nullptr) return out;
  if (!value->is_array() || value->get_array().size() > most) {
    return bad_parameter(name, "must be a list of at most " + std::to_string(most) + " texts");
  }
  for (const auto& element : value->get_array()) {
    if (!element.is_string() || element.get_string().size() > most_bytes) {
      return bad_parameter(name,
                           "must hold texts of at most " + std::to_string(most_bytes) + " bytes");
    }
    out.emplace_back(element.get_string());
  }
  return out;
}

Answer<std::map<std::string, std::string>> Body::text_map(const std::string& name, std::size_t most,
                                                          std::size_t most_bytes) const {
  std::map<std::string, std::string> out;
  const auto* value = find(name);
  if (value == nullptr) return out;
  if (!value->is_object() || value->get_object().size() > most) {
    return bad_parameter(name, "must be an object of at most " + std::to_string(most) + " texts");
  }
  for (const auto& field : value->get_object()) {
    if (!field.value().is_string() || field.value().get_string().size() > most_bytes ||
        field.key().size() > most_bytes || field.key().empty()) {
      return bad_parameter(name, "must hold texts of at most " + std::to_string(most_bytes) +
                                     " bytes, each under a name");
    }
    out.emplace(std::string(field.key()), std::string(field.value().get_string()));
  }
  return out;
}

}  // namespace observeai::controlplane::api
