// observeai root ..., observeai approver ...: what each does, apart from parsing its options. Files and
// a terminal, no control plane, unless a function takes a Context.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/passphrase.h"
#include "controlplane/cli/root_ceremony.h"

namespace observeai::controlplane::cli {

struct RootOptions {
  std::string directory = ".";
  PassphraseSource passphrase;
  std::string key_file;
  unsigned keys = 3;
  unsigned threshold = 2;
  unsigned days = 365;             // Of the root
  unsigned delegation_days = 90;   // Of signers
  std::vector<std::string> names;  // Keys, ids, persons: what the command is about
  std::vector<std::string> add_keys;
  std::vector<std::string> tenants{"default"};
  std::vector<std::string> actions;  // Empty: every action of the catalogue
  std::uint32_t max_targets = 1000;
  std::string signer_key;
  std::string audit_key;
  std::string person;
  std::string out_file;
};

// Where root and approver commands write to, and what time it is.
struct LocalContext {
  const Terminal& terminal;
  bool json = false;
  std::ostream& out;
  std::ostream& err;
  std::int64_t now_ms = 0;
};

Result<void> root_init(LocalContext& context, const RootOptions& options);
Result<void> root_sign(LocalContext& context, const RootOptions& options);
Result<void> root_add_signer(LocalContext& context, const RootOptions& options);
Result<void> root_remove_signer(LocalContext& context, const RootOptions& options);
Result<void> root_add_approver(LocalContext& context, const RootOptions& options);
Result<void> root_remove_approver(LocalContext& context, const RootOptions& options);
Result<void> root_rotate(LocalContext& context, const RootOptions& options);
Result<void> root_renew(LocalContext& context, const RootOptions& options);
Result<void> root_show(LocalContext& context, const RootOptions& options);
Result<void> root_verify(LocalContext& context, const RootOptions& options);
Result<void> root_drop(LocalContext& context, const RootOptions& options);
Result<void> root_fetch(Context& context, const RootOptions& options);
Result<void> root_publish(Context& context, const RootOptions& options);

Result<void> approver_init(LocalContext& context, const RootOptions& options);
Result<void> approver_list(Context& context);
// $XDG_CONFIG_HOME/observeai/approver.key, or under ~/.config.
std::string default_approver_key();

}  // namespace observeai::controlplane::cli
