#include "controlplane/cli/root_view.h"

#include <boost/json.hpp>

#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::int64_t kDayMs = 86'400'000;

std::string id_of(const signing::VerifyKey& key) {
  return signing::key_id(key).value();
}

Tone tone_of(std::int64_t end_ms, std::int64_t now_ms) {
  const auto days = (end_ms - now_ms) / kDayMs;
  return end_ms <= now_ms || days < 7 ? Tone::kBad : days < 60 ? Tone::kWarning : Tone::kPlain;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out.empty() ? "none" : out;
}

std::string actions_in_words(const std::vector<std::string>& actions) {
  return actions.size() == actions::catalogue().size() ? "every action of the catalogue"
                                                       : joined(actions);
}

void print_root(std::ostream& out, const Terminal& terminal, const signing::RootMetadata& root,
                std::int64_t now_ms) {
  const auto end = [&](std::int64_t end_ms) {
    return paint(terminal, tone_of(end_ms, now_ms), time_left(end_ms, now_ms));
  };
  out << "  ends        " << end(root.expires_ms) << "\n";
  out << "  root keys   " << root.root_threshold << " of " << root.root_keys.size()
      << " sign the next version\n";
  for (const auto& key : root.root_keys) out << "              " << id_of(key) << "\n";
  if (const auto warning = single_key_warning(root.root_threshold, root.root_keys.size());
      !warning.empty())
    out << "              " << paint(terminal, Tone::kWarning, warning) << "\n";
  for (const auto& signer : root.signers) {
    std::vector<std::string> tenants;
    for (const auto& tenant : signer.delegation.tenants) tenants.push_back(tenant.value());
    out << "  signer      " << id_of(signer.key) << " may command at most "
        << signer.delegation.max_targets << " hosts at once of " << joined(tenants) << ": "
        << actions_in_words(signer.delegation.actions) << "; ends "
        << end(signer.delegation.not_after_ms) << "\n";
  }
  if (root.signers.empty()) out << "  signer      none: nobody may command anything\n";
  for (const auto& approver : root.approvers)
    out << "  approver    " << approver.person << "  " << id_of(approver.key) << "\n";
  if (root.approvers.empty())
    out << "  approver    none: only actions of tier 0, which change nothing, are possible\n";
  const bool has_audit = root.audit_key != signing::VerifyKey();
  out << "  audit key   "
      << (has_audit ? id_of(root.audit_key) : "none yet: add-signer --audit-key") << "\n";
}

json::object key_json(const signing::VerifyKey& key) {
  return {{"key", signing::to_text(key)}, {"id", id_of(key)}};
}

json::array keys_json(const std::vector<signing::VerifyKey>& keys) {
  json::array out;
  for (const auto& key : keys) out.push_back(key_json(key));
  return out;
}

}  // namespace

std::string single_key_warning(std::uint64_t threshold, std::size_t keys) {
  if (threshold != 1) return "";
  return "1 of " + std::to_string(keys) +
         ": whoever gets one key may name approvers and signers. Fine to try things, not for "
         "production (observeai root rotate)";
}

std::string time_left(std::int64_t end_ms, std::int64_t now_ms) {
  const std::string when = " (" + text::format_time_ms(end_ms) + ")";
  if (end_ms <= now_ms) return "IS OVER" + when;
  const auto days = (end_ms - now_ms) / kDayMs;
  for (const int stage : {7, 30, 60}) {
    if (end_ms - now_ms <= stage * kDayMs)
      return "ONLY " + std::to_string(days) + (days == 1 ? " day left" : " days left") + when;
  }
  return "in " + std::to_string(days) + " days" + when;
}

void print_folder(std::ostream& out, const Terminal& terminal, const RootFolder& folder,
                  std::int64_t now_ms) {
  if (folder.chain() == nullptr) {
    out << "No version is signed yet in " << folder.directory() << ".\n";
  } else {
    const auto root = folder.chain()->newest();
    out << "Version " << root.version << " is signed.\n";
    print_root(out, terminal, root, now_ms);
  }
  if (!folder.draft()) return;
  out << "\nDraft of version " << folder.draft()->root.version << ", not in force.\n";
  print_root(out, terminal, folder.draft()->root, now_ms);
  for (const auto& one : folder.signatures()) {
    out << "  " << (one.complete() ? "signed by enough" : "NOT SIGNED BY ENOUGH")
        << " keys of version " << one.version << ": " << one.given.size() << " of " << one.needed;
    if (!one.complete()) {
      std::vector<std::string> open;
      for (const auto& key : one.open) open.push_back(id_of(key));
      out << "; who may still sign: " << joined(open);
    }
    out << "\n";
  }
  out << "  next: observeai root sign --dir " << folder.directory() << " --key FILE\n";
}

json::object root_json(const signing::RootMetadata& root) {
  json::array signers;
  for (const auto& signer : root.signers) {
    json::object one = key_json(signer.key);
    json::array tenants;
    for (const auto& tenant : signer.delegation.tenants) tenants.emplace_back(tenant.value());
    one["tenants"] = std::move(tenants);
    one["actions"] =
        json::array(signer.delegation.actions.begin(), signer.delegation.actions.end());
    one["max_targets"] = signer.delegation.max_targets;
    one["not_after_ms"] = signer.delegation.not_after_ms;
    signers.push_back(std::move(one));
  }
  json::array approvers;
  for (const auto& approver : root.approvers) {
    json::object one = key_json(approver.key);
    one["person"] = approver.person;
    approvers.push_back(std::move(one));
  }
  return {{"version", root.version},
          {"expires_ms", root.expires_ms},
          {"threshold", root.root_threshold},
          {"root_keys", keys_json(root.root_keys)},
          {"signers", std::move(signers)},
          {"approvers", std::move(approvers)},
          {"audit_key", key_json(root.audit_key)}};
}

json::object folder_json(const RootFolder& folder, std::int64_t now_ms) {
  json::object out{{"now_ms", now_ms}, {"newest", nullptr}, {"draft", nullptr}};
  if (folder.chain() != nullptr) out["newest"] = root_json(folder.chain()->newest());
  if (!folder.draft()) return out;
  json::object draft = root_json(folder.draft()->root);
  json::array signatures;
  for (const auto& one : folder.signatures()) {
    signatures.push_back(json::object{{"of_version", one.version},
                                      {"needed", one.needed},
                                      {"given", keys_json(one.given)},
                                      {"open", keys_json(one.open)}});
  }
  draft["signatures"] = std::move(signatures);
  out["draft"] = std::move(draft);
  return out;
}

}  // namespace observeai::controlplane::cli
