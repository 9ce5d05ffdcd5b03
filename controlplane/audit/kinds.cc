#include "controlplane/audit/kinds.h"

#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::controlplane::audit {

model::AuditEntry entry_of(Kind kind, std::int64_t now_ms, const std::string& actor,
                           const std::string& object, const Detail& detail) {
  boost::json::object fields;
  for (const auto& [name, value] : detail) {
    fields[text::replace_invalid_utf8(name)] = text::replace_invalid_utf8(value);
  }
  model::AuditEntry entry;
  entry.ts_ms = now_ms;
  entry.actor = text::replace_invalid_utf8(actor);
  entry.action = std::string(kind.name);
  entry.object = text::replace_invalid_utf8(object);
  entry.detail = boost::json::serialize(fields);
  return entry;
}

}  // namespace observeai::controlplane::audit
