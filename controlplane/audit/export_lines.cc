#include "controlplane/audit/export_lines.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "controlplane/audit/heads.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::audit {
namespace {

namespace json = boost::json;

struct TextField {
  const char* name;
  const char* encoded;  // Its name when the text is not UTF-8
  std::string model::AuditEntry::*member;
};
constexpr std::array<TextField, 4> kTexts = {
    {{"actor", "actor_base64", &model::AuditEntry::actor},
     {"action", "action_base64", &model::AuditEntry::action},
     {"object", "object_base64", &model::AuditEntry::object},
     {"detail", "detail_base64", &model::AuditEntry::detail}}};

std::string line_of(const json::object& object) {
  return json::serialize(object) + "\n";
}

std::string base64(std::string_view bytes) {
  return text::to_base64url(text::as_bytes(bytes));
}

std::string to_line(const ExportBegin& begin) {
  return line_of({{"format", kExportFormat},
                  {"after_seq", begin.after.seq},
                  {"hash", text::to_hex(begin.after.hash)}});
}
std::string to_line(const ExportRoot& root) {
  return line_of({{"root", base64(root.envelope)}});
}
std::string to_line(const model::AuditEntry& entry) {
  json::object out{{"seq", entry.seq}, {"ts_ms", entry.ts_ms}};
  for (const auto& field : kTexts) {
    const std::string& value = entry.*field.member;
    if (text::is_valid_utf8(value)) {
      out[field.name] = value;
    } else {
      out[field.encoded] = base64(value);
    }
  }
  out["hash"] = text::to_hex(entry.hash);
  return line_of(out);
}
std::string to_line(const model::SignedAuditHead& head) {
  return line_of({{"head",
                   {{"seq", head.head.seq},
                    {"hash", text::to_hex(head.head.hash)},
                    {"unix_ms", head.head.unix_ms}}},
                  {"envelope", base64(head.envelope)}});
}
std::string to_line(const ExportMore& more) {
  return line_of({{"next_after_seq", more.after_seq}});
}

// Reads the members of one object; what is left over at the end is refused.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  bool has(const char* name) const { return object_.contains(name); }
  Result<const json::value*> take(const char* name) {
    const auto* value = object_.if_contains(name);
    if (value == nullptr) return Error(Errc::kCorrupt, "it has no \"" + std::string(name) + "\"");
    ++taken_;
    return value;
  }
  template <class Number>
  Result<Number> number(const char* name) {
    TRY(const auto* value, take(name));
    boost::system::error_code failed;
    const auto number = value->is_double() ? Number() : value->to_number<Number>(failed);
    if (failed || value->is_double()) return wrong(name);
    return number;
  }
  Result<std::string> text(const char* name) {
    TRY(const auto* value, take(name));
    if (!value->is_string()) return wrong(name);
    return std::string(value->get_string());
  }
  Result<std::string> bytes(const char* name) {
    TRY(const auto encoded, text(name));
    const auto decoded = text::from_base64url(encoded);
    if (!decoded) return wrong(name);
    return std::string(decoded->begin(), decoded->end());
  }
  Result<wire::Digest> digest(const char* name) {
    TRY(const auto hex, text(name));
    const auto decoded = text::from_hex(hex);
    wire::Digest out{};
    if (!decoded || decoded->size() != out.size()) return wrong(name);
    std::copy(decoded->begin(), decoded->end(), out.begin());
    return out;
  }
  Result<void> done() const {
    if (taken_ == object_.size()) return {};
    return Error(Errc::kCorrupt, "it has a member that no such line has");
  }

 private:
  static Error wrong(const char* name) {
    return Error(Errc::kCorrupt, "its \"" + std::string(name) + "\" is not what it should be");
  }

  const json::object& object_;
  std::size_t taken_ = 0;
};

Result<ExportLine> read_begin(Members& in) {
  ExportBegin begin;
  TRY(const auto format, in.text("format"));
  if (format != kExportFormat)
    return Error(Errc::kCorrupt, "it is of another format than " + std::string(kExportFormat));
  TRY(begin.after.seq, in.number<std::uint64_t>("after_seq"));
  TRY(begin.after.hash, in.digest("hash"));
  return ExportLine(begin);
}

Result<ExportLine> read_entry(Members& in) {
  model::AuditEntry entry;
  TRY(entry.seq, in.number<std::uint64_t>("seq"));
  TRY(entry.ts_ms, in.number<std::int64_t>("ts_ms"));
  for (const auto& field : kTexts) {
    if (in.has(field.encoded)) {
      TRY(entry.*field.member, in.bytes(field.encoded));
    } else {
      TRY(entry.*field.member, in.text(field.name));
    }
  }
  TRY(entry.hash, in.digest("hash"));
  return ExportLine(std::move(entry));
}

Result<ExportLine> read_signed_head(Members& in) {
  TRY(const auto* shown, in.take("head"));
  if (!shown->is_object()) return Error(Errc::kCorrupt, "its \"head\" is no object");
  Members members(shown->get_object());
  model::SignedAuditHead head;
  TRY(head.head.seq, members.number<std::uint64_t>("seq"));
  TRY(head.head.hash, members.digest("hash"));
  TRY(head.head.unix_ms, members.number<std::int64_t>("unix_ms"));
  TRY_VOID(members.done());
  TRY(head.envelope, in.bytes("envelope"));
  TRY(const auto said, read_head(head.envelope));
  if (said != head.head)
    return Error(Errc::kCorrupt, "the head that is shown is not the one that was signed");
  return ExportLine(std::move(head));
}

Result<ExportLine> read_line(Members& in) {
  if (in.has("format")) return read_begin(in);
  if (in.has("root")) {
    TRY(auto envelope, in.bytes("root"));
    return ExportLine(ExportRoot{std::move(envelope)});
  }
  if (in.has("seq")) return read_entry(in);
  if (in.has("head")) return read_signed_head(in);
  TRY(const auto after_seq, in.number<std::uint64_t>("next_after_seq"));
  return ExportLine(ExportMore{after_seq});
}

}  // namespace

std::string format_line(const ExportLine& line) {
  return std::visit([](const auto& value) { return to_line(value); }, line);
}

Result<ExportLine> parse_line(std::string_view line) {
  if (line.size() > kMaxLineBytes) return Error(Errc::kLimit, "longer than any line of an export");
  boost::system::error_code failed;
  const auto value = json::parse(line, failed);
  if (failed || !value.is_object()) return Error(Errc::kCorrupt, "not a JSON object");
  Members members(value.get_object());
  TRY(auto parsed, read_line(members));
  TRY_VOID(members.done());
  return parsed;
}

}  // namespace observeai::controlplane::audit
