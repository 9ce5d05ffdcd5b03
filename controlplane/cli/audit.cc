// audit: who did what, and the proof that nobody changed it since.
#include <fstream>
#include <ostream>

#include "controlplane/audit/export_verifier.h"
#include "controlplane/cli/commands.h"
#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr const char* kExportPath = "/v1/audit/export";
constexpr const char* kPageRows = "10000";
constexpr std::size_t kMaxRootFile = 1U << 20;

// The pages of the server's export, each handed to `take`, to the end.
Result<void> each_page(Context& context,
                       const std::function<Result<void>(const std::string&)>& take) {
  std::uint64_t after = 0;
  for (;;) {
    TRY(const auto page,
        context.api.get_text(
            with_query(kExportPath, {{"after_seq", std::to_string(after)}, {"limit", kPageRows}})));
    TRY_VOID(take(page));
    if (page.size() < 2) return Error(Errc::kCorrupt, "the server's export has an empty page");
    const auto begin = page.rfind('\n', page.size() - 2);
    const auto last = std::string_view(page).substr(begin == std::string::npos ? 0 : begin + 1);
    const auto line = audit::parse_line(last);
    const auto* more = line ? std::get_if<audit::ExportMore>(&*line) : nullptr;
    if (more == nullptr) return {};
    if (more->after_seq <= after)
      return Error(Errc::kCorrupt, "the pages of the server's export do not end");
    after = more->after_seq;
  }
}

// Line by line, none longer than a line of an export.
Result<void> each_line(const std::string& path,
                       const std::function<Result<void>(std::string_view)>& take) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(Errc::kNotFound, "cannot read " + path);
  std::string line(audit::kMaxLineBytes + 2, '\0');
  while (in.getline(line.data(), static_cast<std::streamsize>(line.size()))) {
    const auto read = static_cast<std::size_t>(in.gcount());
    TRY_VOID(take(std::string_view(line).substr(0, in.eof() ? read : read - 1)));
  }
  if (in.eof()) return {};
  return Error(Errc::kCorrupt, path + " has a line that is longer than any of an audit log");
}

// What --root says: the hash, as hex or as a token has it, or a file that has it.
Result<std::string> pinned_root(const std::string& root) {
  if (root.empty()) return std::string();
  constexpr std::size_t kDigestBytes = 32;
  const auto hex = text::from_hex(root);
  if (hex && hex->size() == kDigestBytes) return text::to_hex(*hex);
  const auto encoded = text::from_base64url(root);
  if (encoded && encoded->size() == kDigestBytes) return text::to_hex(*encoded);
  const auto file = files::read(root, kMaxRootFile);
  if (file) return signing::sha256_hex(*file);
  return Error(Errc::kInvalid,
               "--root wants the SHA-256 of the first root metadata (the last part of "
               "an enrollment token) or its file, and " +
                   file.error().message());
}

Result<audit::ExportVerifier> prepared(const AuditVerifyOptions& options) {
  TRY(const auto pin, pinned_root(options.root));
  audit::ExportVerifier verifier(pin);
  if (options.heads.empty()) return verifier;
  TRY_VOID(each_line(options.heads, [&](std::string_view line) -> Result<void> {
    if (text::trim(line).empty()) return {};
    auto parsed = audit::parse_line(line);
    const auto* head = parsed ? std::get_if<model::SignedAuditHead>(&*parsed) : nullptr;
    if (head == nullptr)
      return Error(Errc::kInvalid, options.heads + " has a line that is no signed head");
    return verifier.expect(head->head);
  }));
  return verifier;
}

// A log that does not fit is no wrong use and no lack of rights: one exit code for all of it.
Error unfit(const Error& why) {
  if (why.code() != Errc::kCorrupt && why.code() != Errc::kDenied) return why;
  return Error(Errc::kCorrupt, "the audit log does not fit: " + why.message());
}

json::object report_json(const audit::ExportReport& report) {
  json::object out{{"fits", true},
                   {"after_seq", report.after_seq},
                   {"entries", report.entries},
                   {"last_seq", report.end.seq},
                   {"last_hash", text::to_hex(report.end.hash)},
                   {"heads", report.heads},
                   {"unsigned_entries", report.unsigned_entries},
                   {"kept_heads_found", report.expected_heads},
                   {"root_sha256", report.root_sha256},
                   {"root_version", report.root_version},
                   {"root_is_pinned", report.is_pinned},
                   {"is_part", report.is_part}};
  if (report.newest_head) {
    out["newest_head_seq"] = report.newest_head->seq;
    out["newest_head_ms"] = report.newest_head->unix_ms;
  }
  return out;
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

void print_report(std::ostream& out, const Terminal& terminal, const audit::ExportReport& report) {
  const auto warn = [&](const std::string& what) {
    out << paint(terminal, Tone::kWarning, what) << "\n";
  };
  const std::string entries = counted(report.entries, "entry", "entries") + ", " +
                              (report.entries == 0 ? "none"
                                                   : std::to_string(report.after_seq + 1) + " to " +
                                                         std::to_string(report.end.seq));
  out << paint(terminal, Tone::kGood, "The audit log fits") << ": " << entries
      << ", each chained to the one before.\n";
  if (report.newest_head) {
    out << counted(report.heads, "signed head", "signed heads") << ", the newest of entry "
        << report.newest_head->seq << ", " << local_clock(report.newest_head->unix_ms) << ".\n";
  } else {
    warn("No signed head: who can write the log could have computed all of it anew.");
  }
  if (report.unsigned_entries > 0 && report.newest_head)
    out << counted(report.unsigned_entries, "entry", "entries") << " behind it not signed yet.\n";
  if (report.expected_heads > 0)
    out << counted(report.expected_heads, "head that was", "heads that were")
        << " kept elsewhere found in it.\n";
  if (report.is_part) warn("This is a part: the log goes on behind it.");
  if (report.after_seq > 0)
    warn("It begins behind entry " + std::to_string(report.after_seq) + ", which is not checked.");
  if (report.root_sha256.empty()) return;
  if (report.is_pinned) {
    out << "Root metadata " << report.root_sha256 << " as you said, now version "
        << report.root_version << ".\n";
  } else {
    warn("Believed because the log itself says so: root metadata " + report.root_sha256 +
         ". Say --root with the last part of an enrollment token, from elsewhere.");
  }
}

Result<void> report_on(std::ostream& out, const Terminal& terminal, bool as_json,
                       audit::ExportVerifier& verifier) {
  const auto report = verifier.finish();
  if (!report) return unfit(report.error());
  if (as_json) {
    out << pretty(report_json(*report));
  } else {
    print_report(out, terminal, *report);
  }
  return {};
}

}  // namespace

Result<void> show_audit(Context& context, const std::string& before, const std::string& limit) {
  TRY(const auto answer, context.api.get("/v1/audit", {{"before_seq", before}, {"limit", limit}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& body = object_of(answer);
  const auto& entries = array_at(body, "entries");
  Table table({">SEQ", "TIME", "WHO", "DID", "TO", "DETAIL"});
  for (const auto& value : entries) {
    const auto& entry = object_of(value);
    table.add({std::to_string(integer_at(entry, "seq")), local_clock(integer_at(entry, "ts_ms")),
               text_at(entry, "actor"), text_at(entry, "action"), text_at(entry, "object"),
               text::escape_unprintable(json::serialize(object_at(entry, "detail")), 300)});
  }
  context.out << (table.empty() ? "No entries.\n" : table.render(context.terminal));
  if (flag_at(body, "truncated") && !entries.empty())
    context.out << "(earlier ones: --before " << integer_at(object_of(entries.front()), "seq")
                << ")\n";
  return {};
}

Result<void> export_audit(Context& context, const std::string& file) {
  if (file.empty() && context.terminal.interactive)
    return Error(Errc::kInvalid, "an export is for a file: say --output FILE, or redirect it");
  if (file.empty()) {
    return each_page(context, [&](const std::string& page) -> Result<void> {
      context.out << page;
      return {};
    });
  }
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  std::uint64_t bytes = 0;
  const auto done = each_page(context, [&](const std::string& page) -> Result<void> {
    bytes += page.size();
    if (out << page) return {};
    return Error(Errc::kUnavailable, "cannot write " + file);
  });
  TRY_VOID(done);
  if (!out.flush()) return Error(Errc::kUnavailable, "cannot write " + file);
  context.out << "Written to " << file << ": " << text::format_bytes(static_cast<double>(bytes))
              << ". Check it anywhere: observeai audit verify " << file << "\n";
  return {};
}

Result<void> verify_audit(Context& context, const AuditVerifyOptions& options) {
  TRY(auto verifier, prepared(options));
  TRY_VOID(each_page(context, [&](const std::string& page) -> Result<void> {
    for (const auto line : text::split(page, '\n')) {
      if (const auto added = verifier.add(line); !added) return unfit(added.error());
    }
    return {};
  }));
  return report_on(context.out, context.terminal, context.json, verifier);
}

Result<void> verify_audit_file(const AuditVerifyOptions& options, const Terminal& terminal,
                               bool as_json, std::ostream& out) {
  TRY(auto verifier, prepared(options));
  TRY_VOID(each_line(options.file, [&](std::string_view line) -> Result<void> {
    if (const auto added = verifier.add(line); !added) return unfit(added.error());
    return {};
  }));
  return report_on(out, terminal, as_json, verifier);
}

}  // namespace observeai::controlplane::cli
