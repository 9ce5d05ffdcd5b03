#include "controlplane/cli/root_console.h"

#include <CLI/CLI.hpp>

namespace observeai::controlplane::cli {
namespace {

constexpr const char* kFooter =
    "Every change makes a draft of the next version, which `root sign` adds signatures to until as "
    "many\n"
    "root keys of the version before and of the draft itself have signed as each asks for. Nothing "
    "is in\n"
    "force before `root publish`. The root's keys stay offline: run all but fetch and publish "
    "there.";

}  // namespace

RootConsole::RootConsole(CLI::App& app, bool& json, std::function<void(Local)> local,
                         std::function<void(Remote)> remote)
    : json_(json), local_(std::move(local)), remote_(std::move(remote)) {
  CLI::App* root = app.add_subcommand("root", "Who may sign what: the root of trust, offline");
  root->require_subcommand(1);
  root->footer(kFooter);
  add_ceremony(root);
  add_changes(root);
  add_approver(app);
}

CLI::App* RootConsole::command(CLI::App* parent, const char* name, const char* help,
                               LocalCommand what) {
  CLI::App* sub = parent->add_subcommand(name, help);
  sub->add_flag("--json", json_, "As JSON");
  sub->callback([this, what] {
    local_([this, what](LocalContext& context) { return what(context, options_); });
  });
  return sub;
}

CLI::App* RootConsole::remote_command(CLI::App* parent, const char* name, const char* help,
                                      Remote what) {
  CLI::App* sub = parent->add_subcommand(name, help);
  sub->add_flag("--json", json_, "The server's answer as JSON");
  sub->callback([this, what = std::move(what)] { remote_(what); });
  return sub;
}

void RootConsole::with_directory(CLI::App* sub) {
  sub->add_option("-d,--dir", options_.directory, "Folder with the root metadata")
      ->capture_default_str();
}

void RootConsole::with_passphrase(CLI::App* sub) {
  auto* file = sub->add_option("--passphrase-file", options_.passphrase.file,
                               "Its first line is the passphrase (default: ask on the terminal)");
  sub->add_flag("--no-passphrase", options_.passphrase.none,
                "New keys are not sealed: whoever reads the file has the key")
      ->excludes(file);
}

void RootConsole::with_delegation(CLI::App* sub) {
  sub->add_option("--tenant", options_.tenants, "For hosts of these tenants, any number")
      ->capture_default_str();
  sub->add_option("--action", options_.actions,
                  "Only these actions, any number (default: all of the catalogue)");
  sub->add_option("--max-targets", options_.max_targets, "Hosts in one batch")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  sub->add_option("--delegation-days", options_.delegation_days, "The delegation ends after this")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  sub->add_option("--audit-key", options_.audit_key,
                  "The signer's audit key, as `observeai-signer status` shows it");
}

void RootConsole::add_ceremony(CLI::App* root) {
  CLI::App* init = command(root, "init", "Make the root keys and a draft of version 1", root_init);
  with_directory(init);
  with_passphrase(init);
  with_delegation(init);
  init->add_option("--keys", options_.keys, "Root keys, one for each custodian")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  init->add_option("--threshold", options_.threshold, "So many of them sign each version")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  init->add_option("--days", options_.days, "The root metadata ends after this")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  init->add_option("--signer-key", options_.signer_key,
                   "The signer's key, as `observeai-signer status` shows it");
  CLI::App* sign = command(root, "sign", "Add one key's signature to the draft", root_sign);
  with_directory(sign);
  sign->add_option("--passphrase-file", options_.passphrase.file,
                   "Its first line is the passphrase (default: ask on the terminal)");
  sign->add_option("-k,--key", options_.key_file, "File with a root key")->required();
  with_directory(
      command(root, "show", "Who may do what, what ends soon, what is not signed yet", root_show));
  with_directory(
      command(root, "verify", "Check every version against the one before", root_verify));
  with_directory(command(root, "drop", "Throw the draft away", root_drop));
  with_directory(remote_command(root, "fetch", "Copy the versions that the control plane has",
                                [this](Context& c) { return root_fetch(c, options_); }));
  with_directory(remote_command(root, "publish", "Put the signed versions in force",
                                [this](Context& c) { return root_publish(c, options_); }));
}

void RootConsole::add_changes(CLI::App* root) {
  CLI::App* add_signer = command(
      root, "add-signer", "Let a signer sign commands, or change what it may", root_add_signer);
  add_signer->add_option("KEY", options_.names, "ed25519:...")->required()->expected(1);
  with_directory(add_signer);
  with_delegation(add_signer);
  CLI::App* remove_signer =
      command(root, "remove-signer", "A signer may sign nothing any more", root_remove_signer);
  remove_signer->add_option("KEY", options_.names, "Its key or id")->required()->expected(1);
  with_directory(remove_signer);
  CLI::App* add_approver = command(root, "add-approver", "Let a person approve", root_add_approver);
  add_approver
      ->add_option("LINE", options_.names, "What `observeai approver init` printed: PERSON KEY")
      ->required()
      ->expected(1, 2);
  add_approver->add_option("--person", options_.person,
                           "Whose key it is, when LINE is a key alone");
  with_directory(add_approver);
  CLI::App* remove_approver =
      command(root, "remove-approver", "A person, or one key of it, may approve nothing any more",
              root_remove_approver);
  remove_approver->add_option("PERSON", options_.names, "A person, or a key or its id")
      ->required()
      ->expected(1);
  with_directory(remove_approver);
  CLI::App* rotate = command(root, "rotate", "Replace root keys", root_rotate);
  rotate->add_option("--remove", options_.names, "Ids of keys that go (default: all present ones)");
  rotate->add_option("--add", options_.add_keys, "Public keys made elsewhere, any number");
  rotate->add_option("--keys", options_.keys, "Keys to make here")
      ->check(CLI::Range(0, 16))
      ->capture_default_str();
  rotate->add_option("--threshold", options_.threshold, "So many keys sign from then on")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  with_directory(rotate);
  with_passphrase(rotate);
  CLI::App* renew =
      command(root, "renew", "New ends for the root metadata and the delegations", root_renew);
  with_directory(renew);
  renew->add_option("--days", options_.days, "The root metadata ends after this")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  renew->add_option("--delegation-days", options_.delegation_days, "Delegations end after this")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
}

void RootConsole::add_approver(CLI::App& app) {
  CLI::App* approver = app.add_subcommand("approver", "Keys of the people who approve");
  approver->require_subcommand(1);
  CLI::App* init =
      command(approver, "init", "Make your key; prints the line for the custodians", approver_init);
  init->add_option("--name", options_.person, "Who you are (default: $USER)");
  init->add_option("--out", options_.out_file, "File (default ~/.config/observeai/approver.key)");
  with_passphrase(init);
  remote_command(approver, "list", "Who may approve", approver_list);
  CLI::App* revoke = command(approver, "revoke",
                             "Make the root draft without a person or key: as root remove-approver",
                             root_remove_approver);
  revoke->add_option("PERSON", options_.names, "A person, or a key or its id")
      ->required()
      ->expected(1);
  with_directory(revoke);
}

}  // namespace observeai::controlplane::cli
