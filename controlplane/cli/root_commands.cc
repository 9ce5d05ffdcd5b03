// observeai root: every change is a draft of the next version, in force when it is signed.
#include "controlplane/cli/root_commands.h"

#include <algorithm>

#include <boost/json.hpp>

#include "controlplane/cli/json_view.h"
#include "controlplane/cli/root_view.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/key_files.h"

namespace observeai::controlplane::cli {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

std::int64_t days_from(std::int64_t now_ms, unsigned days) {
  return now_ms + static_cast<std::int64_t>(days) * kDayMs;
}

void show(LocalContext& context, const RootFolder& folder) {
  if (context.json) {
    context.out << pretty(folder_json(folder, context.now_ms));
  } else {
    print_folder(context.out, context.terminal, folder, context.now_ms);
  }
}

Result<void> change(LocalContext& context, const RootOptions& options,
                    const std::function<Result<void>(signing::RootMetadata&)>& what) {
  TRY(auto folder, RootFolder::open(options.directory));
  const bool voids = folder.draft() && !folder.draft()->envelope.signatures.empty();
  TRY_VOID(folder.change(what));
  if (voids) context.err << "The draft has changed: the signatures it had are void.\n";
  show(context, folder);
  return {};
}

// One file for each custodian: root-<id>.key.
Result<std::vector<signing::VerifyKey>> make_root_keys(LocalContext& context,
                                                       const RootOptions& options) {
  std::vector<signing::VerifyKey> keys;
  TRY_VOID(files::make_directories(options.directory, 0700));
  for (unsigned i = 0; i < options.keys; ++i) {
    const auto pair = signing::SigningKeyPair::generate();
    const std::string path = options.directory + "/root-" + pair.id().value() + ".key";
    TRY(const auto passphrase, new_passphrase(options.passphrase, path));
    TRY_VOID(signing::save_signing_key(
        path, pair, passphrase ? signing::Passphrase(*passphrase) : std::nullopt));
    context.err << "Made " << path << ": give it to one custodian, offline, and remove it here.\n";
    keys.push_back(pair.public_key());
  }
  return keys;
}

Result<signing::SignerKey> signer_of(const std::string& key, const RootOptions& options,
                                     std::int64_t now_ms) {
  signing::SignerKey signer;
  TRY(signer.key, signing::parse_verify_key(key));
  for (const auto& name : options.tenants) {
    TRY(auto tenant, TenantId::parse(name));
    signer.delegation.tenants.push_back(std::move(tenant));
  }
  signer.delegation.actions = options.actions;
  for (const auto& action : options.actions) {
    if (actions::find(action) == nullptr)
      return Error(Errc::kInvalid, "there is no action " + action + " in the catalogue");
  }
  if (options.actions.empty()) {
    for (const auto& action : actions::catalogue())
      signer.delegation.actions.emplace_back(action.name);
  }
  signer.delegation.max_targets = options.max_targets;
  signer.delegation.not_after_ms = days_from(now_ms, options.delegation_days);
  return signer;
}

// "ada ed25519:...", as approver init prints it, in one word or two.
Result<signing::ApproverKey> approver_of(const RootOptions& options) {
  std::string text;
  for (const auto& name : options.names) text += (text.empty() ? "" : " ") + name;
  const auto space = text.find(' ');
  signing::ApproverKey out;
  out.person = space == std::string::npos ? options.person : text.substr(0, space);
  if (out.person.empty()) {
    return Error(
        Errc::kInvalid,
        "say whose key it is: the line that `observeai approver init` printed, or --person");
  }
  TRY(out.key,
      signing::parse_verify_key(space == std::string::npos ? text : text.substr(space + 1)));
  return out;
}

bool is_named(const signing::VerifyKey& key, const std::string& name) {
  return signing::to_text(key) == name || signing::key_id(key).value() == name;
}

}  // namespace

Result<void> root_init(LocalContext& context, const RootOptions& options) {
  TRY(auto folder, RootFolder::open(options.directory));
  if (folder.chain() != nullptr || folder.draft())
    return Error(Errc::kInvalid, options.directory + " has a root of trust already");
  if (options.threshold < 1 || options.threshold > options.keys)
    return Error(Errc::kInvalid, "the threshold is from 1 to the number of keys");
  signing::RootMetadata root;
  root.version = 1;
  root.expires_ms = days_from(context.now_ms, options.days);
  root.root_threshold = options.threshold;
  if (!options.signer_key.empty()) {
    TRY(auto signer, signer_of(options.signer_key, options, context.now_ms));
    root.signers.push_back(std::move(signer));
  }
  if (!options.audit_key.empty()) {
    TRY(root.audit_key, signing::parse_verify_key(options.audit_key));
  }
  TRY(root.root_keys, make_root_keys(context, options));
  TRY_VOID(folder.begin(std::move(root)));
  show(context, folder);
  return {};
}

Result<void> root_sign(LocalContext& context, const RootOptions& options) {
  TRY(auto folder, RootFolder::open(options.directory));
  if (!folder.draft()) return Error(Errc::kInvalid, "there is no draft in " + options.directory);
  TRY(const bool sealed, is_sealed(options.key_file));
  std::string passphrase;
  if (sealed) {
    TRY(passphrase, known_passphrase(options.passphrase, options.key_file));
  }
  TRY(const auto key,
      signing::load_signing_key(options.key_file,
                                sealed ? signing::Passphrase(passphrase) : std::nullopt));
  if (!context.json) print_folder(context.err, context.terminal, folder, context.now_ms);
  TRY(const bool complete, folder.sign(key));
  if (complete) {
    context.err << "Version " << folder.chain()->newest().version
                << " is signed by enough keys. Next: observeai root publish --dir "
                << options.directory << "\n";
  }
  show(context, folder);
  return {};
}

Result<void> root_add_signer(LocalContext& context, const RootOptions& options) {
  TRY(const auto signer, signer_of(options.names.front(), options, context.now_ms));
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    std::erase_if(root.signers, [&](const auto& one) { return one.key == signer.key; });
    root.signers.push_back(signer);
    if (!options.audit_key.empty()) {
      TRY(root.audit_key, signing::parse_verify_key(options.audit_key));
    }
    return {};
  });
}

Result<void> root_remove_signer(LocalContext& context, const RootOptions& options) {
  const auto& name = options.names.front();
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    const auto gone =
        std::erase_if(root.signers, [&](const auto& one) { return is_named(one.key, name); });
    if (gone > 0) return {};
    return Error(Errc::kNotFound, "there is no signer " + printable(name));
  });
}

Result<void> root_add_approver(LocalContext& context, const RootOptions& options) {
  TRY(const auto approver, approver_of(options));
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    root.approvers.push_back(approver);
    // The draft's other parts may still be missing: only what this adds is judged.
    const auto same = std::count_if(root.approvers.begin(), root.approvers.end(),
                                    [&](const auto& one) { return one.key == approver.key; });
    if (same == 1) return {};
    return Error(Errc::kInvalid, "this key is an approver's already");
  });
}

Result<void> root_remove_approver(LocalContext& context, const RootOptions& options) {
  const auto& name = options.names.front();
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    const auto gone = std::erase_if(root.approvers, [&](const auto& one) {
      return one.person == name || is_named(one.key, name);
    });
    if (gone > 0) return {};
    return Error(Errc::kNotFound, "there is no approver " + printable(name));
  });
}

// Without names every present root key is replaced.
Result<void> root_rotate(LocalContext& context, const RootOptions& options) {
  TRY(const auto before, RootFolder::open(options.directory));
  if (before.chain() == nullptr)
    return Error(Errc::kInvalid, "there is no version in " + options.directory + " to go on from");
  std::vector<signing::VerifyKey> added;
  for (const auto& text : options.add_keys) {
    TRY(const auto key, signing::parse_verify_key(text));
    added.push_back(key);
  }
  TRY(const auto made, make_root_keys(context, options));
  added.insert(added.end(), made.begin(), made.end());
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    if (options.names.empty()) root.root_keys.clear();
    for (const auto& name : options.names) {
      TRY(const auto key, find_key(root.root_keys, name));
      std::erase(root.root_keys, key);
    }
    root.root_keys.insert(root.root_keys.end(), added.begin(), added.end());
    root.root_threshold = options.threshold;
    return signing::check_root(root);
  });
}

Result<void> root_renew(LocalContext& context, const RootOptions& options) {
  return change(context, options, [&](signing::RootMetadata& root) -> Result<void> {
    root.expires_ms = days_from(context.now_ms, options.days);
    for (auto& signer : root.signers)
      signer.delegation.not_after_ms = days_from(context.now_ms, options.delegation_days);
    return {};
  });
}

Result<void> root_show(LocalContext& context, const RootOptions& options) {
  TRY(const auto folder, RootFolder::open(options.directory));
  if (folder.chain() == nullptr && !folder.draft())
    return Error(Errc::kNotFound, "there is no root metadata in " + options.directory);
  show(context, folder);
  return {};
}

Result<void> root_verify(LocalContext& context, const RootOptions& options) {
  TRY(const auto chain, RootChain::open(options.directory));
  boost::json::array versions;
  std::uint64_t version = 0;
  for (const auto& envelope : chain->envelopes_after(0)) {
    const auto hash = signing::sha256_hex(envelope);
    if (!context.json) context.out << "version " << ++version << "  sha256 " << hash << "\n";
    versions.emplace_back(hash);
  }
  if (context.json) {
    context.out << pretty(boost::json::object{{"sha256", std::move(versions)}});
  } else {
    context.out << "Each is signed by the keys of the one before and by its own.\n";
  }
  return {};
}

Result<void> root_drop(LocalContext& context, const RootOptions& options) {
  TRY(auto folder, RootFolder::open(options.directory));
  if (!folder.draft()) return Error(Errc::kNotFound, "there is no draft in " + options.directory);
  TRY_VOID(folder.drop_draft());
  context.err << "The draft is gone.\n";
  return {};
}

}  // namespace observeai::controlplane::cli
