// What of root and approver needs the control plane or a person's own key file.
#include <cstdlib>
#include <filesystem>

#include <boost/json.hpp>

#include "controlplane/cli/json_view.h"
#include "controlplane/cli/root_commands.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/key_files.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

Result<std::vector<std::string>> chain_of(const json::value& answer) {
  std::vector<std::string> out;
  for (const auto& entry : array_at(object_of(answer), "chain")) {
    TRY(const auto bytes, text::from_base64url(raw_text_at(object_of(entry), "envelope")));
    out.emplace_back(text::as_text(bytes));
  }
  if (out.empty()) return Error(Errc::kCorrupt, "the control plane's answer has no root metadata");
  return out;
}

}  // namespace

Result<void> root_fetch(Context& context, const RootOptions& options) {
  TRY(const auto answer, context.api.get("/v1/root"));
  TRY(const auto envelopes, chain_of(answer));
  auto chain = RootChain::open(options.directory);
  if (!chain && chain.error().code() == Errc::kNotFound)
    chain = RootChain::begin(options.directory, envelopes.front());
  if (!chain) return std::move(chain).error();
  TRY(const auto taken, (*chain)->take(envelopes));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  context.out << "Version " << (*chain)->newest().version << " is in " << options.directory << " ("
              << taken << " new). Compare with what the custodians hold: sha256 of version 1 is\n"
              << signing::sha256_hex((*chain)->envelope_of(1)) << "\n";
  return {};
}

Result<void> root_publish(Context& context, const RootOptions& options) {
  TRY(const auto chain, RootChain::open(options.directory));
  TRY(const auto before, context.api.get("/v1/root"));
  const auto known =
      static_cast<std::uint64_t>(integer_at(object_at(object_of(before), "newest"), "version"));
  const auto newest = chain->newest().version;
  json::value answer = before;
  // One at a time: a request's body holds one large version.
  for (const auto& envelope : chain->envelopes_after(known)) {
    const json::object body{
        {"envelopes", json::array{text::to_base64url(text::as_bytes(envelope))}}};
    TRY(answer, context.api.post("/v1/root", body));
  }
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  context.out << (newest > known
                      ? "Published: version " + std::to_string(newest) +
                            " is in force; hosts follow when they next connect.\n"
                      : "The control plane has version " + std::to_string(known) + " already.\n");
  return {};
}

std::string default_approver_key() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config != '\0')
    return std::string(config) + "/observeai/approver.key";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.config/observeai/approver.key";
}

Result<void> approver_init(LocalContext& context, const RootOptions& options) {
  const std::string path = options.out_file.empty() ? default_approver_key() : options.out_file;
  std::string person = options.person;
  if (const char* user = std::getenv("USER"); person.empty() && user != nullptr) person = user;
  if (person.empty()) return Error(Errc::kInvalid, "say who you are: --name");
  if (files::exists(path)) {
    return Error(Errc::kInvalid, path +
                                     " exists; a key is never replaced: move it away, or name "
                                     "another file with --out");
  }
  const auto pair = signing::SigningKeyPair::generate();
  TRY(const auto passphrase, new_passphrase(options.passphrase, path));
  TRY_VOID(files::make_directories(std::filesystem::absolute(path).parent_path().string(), 0700));
  TRY_VOID(signing::save_signing_key(path, pair,
                                     passphrase ? signing::Passphrase(*passphrase) : std::nullopt));
  const std::string line = person + " " + signing::to_text(pair.public_key());
  if (context.json) {
    context.out << pretty(json::object{{"person", person},
                                       {"key", signing::to_text(pair.public_key())},
                                       {"id", pair.id().value()},
                                       {"file", path}});
    return {};
  }
  context.err << "Made " << path << ". Hand this line to the root's custodians, in a way that they "
              << "know is yours:\n";
  context.out << line << "\n";
  return {};
}

Result<void> approver_list(Context& context) {
  TRY(const auto answer, context.api.get("/v1/root"));
  const auto& newest = object_at(object_of(answer), "newest");
  if (context.json) {
    context.out << pretty(json::object{{"version", integer_at(newest, "version")},
                                       {"approvers", array_at(newest, "approvers")}});
    return {};
  }
  Table table({"PERSON", "KEY ID", "KEY"});
  for (const auto& entry : array_at(newest, "approvers")) {
    const auto& approver = object_of(entry);
    table.add({text_at(approver, "person"), text_at(approver, "id"), text_at(approver, "key")});
  }
  if (table.empty()) {
    context.out << "Nobody may approve anything: observeai root add-approver\n";
    return {};
  }
  context.out << table.render(context.terminal);
  return {};
}

}  // namespace observeai::controlplane::cli
