// Who did what: entries for people, and the chain with its signed heads for who wants to prove it.
#include <deque>
#include <limits>

#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/queries.h"
#include "controlplane/api/to_json.h"
#include "controlplane/audit/export_lines.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr auto kMost = std::numeric_limits<std::int64_t>::max();

// Of the tenants' entries only those that say they are this tenant's, unless it runs the
// installation.
bool is_visible(const model::AuditEntry& entry, const TenantId& tenant, const TenantId& home) {
  if (tenant == home) return true;
  json::error_code error;
  const auto detail = json::parse(entry.detail, error);
  if (error || !detail.is_object()) return false;
  const auto* owner = detail.get_object().if_contains("tenant");
  return owner != nullptr && owner->is_string() &&
         std::string_view(owner->get_string()) == tenant.value();
}

constexpr std::size_t kAuditPage = 1000;

// Ascending, after `after`; the limit counts visible entries only.
Answer<std::deque<model::AuditEntry>> oldest_entries(Call& call, std::uint64_t after,
                                                     std::size_t limit) {
  std::deque<model::AuditEntry> out;
  while (out.size() < limit) {
    TRY(auto page, call.world.audit.list(after, kAuditPage));
    if (page.empty()) break;
    after = page.back().seq;
    for (auto& entry : page) {
      if (out.size() < limit && is_visible(entry, call.identity.tenant, call.world.home_tenant))
        out.push_back(std::move(entry));
    }
  }
  return out;
}

// Ascending, the last `limit` visible ones before `before`.
Answer<std::deque<model::AuditEntry>> newest_entries(Call& call, std::uint64_t before,
                                                     std::size_t limit) {
  TRY(const auto newest, call.world.audit.newest());
  std::deque<model::AuditEntry> out;
  for (std::uint64_t end = std::min(newest.seq, before - 1); end > 0 && out.size() < limit;) {
    const std::uint64_t begin = end > kAuditPage ? end - kAuditPage : 0;
    TRY(auto page, call.world.audit.list(begin, end - begin));
    for (auto entry = page.rbegin(); entry != page.rend() && out.size() < limit; ++entry) {
      if (entry->seq <= end && is_visible(*entry, call.identity.tenant, call.world.home_tenant))
        out.push_front(std::move(*entry));
    }
    end = begin;
  }
  return out;
}

// The chain covers every tenant's entries: it cannot be shown in part.
Answer<void> check_runs_installation(const Call& call) {
  if (call.identity.tenant == call.world.home_tenant) return {};
  return Problem(404, Errc::kNotFound,
                 "this tenant has no chain of its own: the audit log's covers all, and is shown to "
                 "the one that runs the installation",
                 "GET /v1/audit shows the entries of your own");
}

// Where an export that begins behind this entry begins.
Answer<model::AuditPoint> point_at(Call& call, std::uint64_t seq) {
  if (seq == 0) return model::AuditPoint();
  TRY(const auto entries, call.world.audit.list(seq - 1, 1));
  if (entries.empty() || entries.front().seq != seq)
    return Problem(404, Errc::kNotFound, "the audit log has no entry " + std::to_string(seq));
  return model::AuditPoint{seq, entries.front().hash};
}

json::object head_json(const model::SignedAuditHead& head) {
  return {{"seq", head.head.seq},
          {"hash", text::to_hex(head.head.hash)},
          {"unix_ms", head.head.unix_ms},
          {"envelope", text::to_base64url(text::as_bytes(head.envelope))}};
}

}  // namespace

Answer<Reply> get_audit(Call& call) {
  TRY(const auto after, call.params.integer("after_seq", 0, kMost, 0));
  TRY(const auto before, call.params.integer("before_seq", 1, kMost, kMost));
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, 1000));
  if (call.params.has("after_seq") && call.params.has("before_seq"))
    return bad_parameter("before_seq", "does not go with after_seq");
  const auto most = static_cast<std::size_t>(limit);
  const bool forward = call.params.has("after_seq");
  std::deque<model::AuditEntry> entries;  // One more than asked for says whether there are more
  if (forward) {
    TRY(entries, oldest_entries(call, static_cast<std::uint64_t>(after), most + 1));
  } else {
    TRY(entries, newest_entries(call, static_cast<std::uint64_t>(before), most + 1));
  }
  const bool truncated = entries.size() > most;
  if (truncated && forward) entries.pop_back();
  if (truncated && !forward) entries.pop_front();
  json::array out;
  for (const auto& entry : entries) out.push_back(audit_json(entry));
  return json_reply(
      {{"now_ms", call.now_ms}, {"entries", std::move(out)}, {"truncated", truncated}});
}

Answer<Reply> get_audit_heads(Call& call) {
  TRY_VOID(check_runs_installation(call));
  TRY(const auto after, call.params.integer("after_seq", 0, kMost, 0));
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, kDefaultRows));
  const auto most = static_cast<std::size_t>(limit);
  TRY(auto heads, call.world.audit_heads.list(static_cast<std::uint64_t>(after), most + 1));
  const bool truncated = heads.size() > most;
  if (truncated) heads.pop_back();
  json::array out;
  for (const auto& head : heads) out.push_back(head_json(head));
  return json_reply({{"now_ms", call.now_ms}, {"heads", std::move(out)}, {"truncated", truncated}});
}

Answer<Reply> get_audit_export(Call& call) {
  TRY_VOID(check_runs_installation(call));
  TRY(const auto after, call.params.integer("after_seq", 0, kMost, 0));
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, kDefaultRows));
  const auto most = static_cast<std::size_t>(limit);
  TRY(const auto begin, point_at(call, static_cast<std::uint64_t>(after)));
  // Before the entries: none of them may be behind the last entry that is read.
  TRY(const auto heads, call.world.audit_heads.list(begin.seq, most + 1));
  TRY(const auto entries, call.world.audit.list(begin.seq, most + 1));

  Reply reply;
  reply.content_type = "application/x-ndjson";
  reply.body = audit::format_line(audit::ExportBegin{begin});
  if (call.world.actions.roots) {
    for (auto& envelope : call.world.actions.roots())
      reply.body += audit::format_line(audit::ExportRoot{std::move(envelope)});
  }
  auto head = heads.begin();
  std::size_t count = 0;
  for (; count < entries.size() && count < most && reply.body.size() < kMaxReplyBytes; ++count) {
    reply.body += audit::format_line(entries[count]);
    for (; head != heads.end() && head->head.seq <= entries[count].seq; ++head)
      reply.body += audit::format_line(*head);
  }
  if (count < entries.size()) {
    reply.body += audit::format_line(audit::ExportMore{entries[count - 1].seq});
  } else {
    // Heads of entries that are gone: the log was cut, and this is what proves it.
    for (; head != heads.end(); ++head) reply.body += audit::format_line(*head);
  }
  return reply;
}

}  // namespace observeai::controlplane::api
