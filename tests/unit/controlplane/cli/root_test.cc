// The key ceremony on files: from nothing to 2 of 3, changes, signatures, what is refused.
#include <sstream>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "controlplane/cli/root_commands.h"
#include "controlplane/cli/root_view.h"
#include "protocol/base/files.h"
#include "protocol/signing/key_files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/trust_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::controlplane::cli;
using namespace observeai::test;

namespace {

struct Ceremony {
  Ceremony() {
    options.directory = dir / "root";
    options.passphrase.none = true;
  }
  RootFolder folder() const { return RootFolder::open(options.directory).value(); }
  signing::SigningKeyPair pair_of(const signing::VerifyKey& key) const {
    return signing::load_signing_key(file_of(key)).value();
  }
  std::string file_of(const signing::VerifyKey& key) const {
    return options.directory + "/root-" + signing::key_id(key).value() + ".key";
  }
  Result<void> sign_with(const signing::VerifyKey& key) {
    options.key_file = file_of(key);
    return root_sign(context, options);
  }
  std::string said() {
    auto text = out.str() + err.str();
    out.str("");
    err.str("");
    return text;
  }
  // Two of three, version 1 signed.
  std::vector<signing::VerifyKey> begin() {
    options.signer_key = signing::to_text(acme.signer.public_key());
    options.audit_key = signing::to_text(acme.audit.public_key());
    REQUIRE(root_init(context, options));
    const auto keys = folder().draft()->root.root_keys;
    REQUIRE(sign_with(keys[0]));
    REQUIRE(sign_with(keys[2]));
    REQUIRE(folder().chain() != nullptr);
    said();
    return keys;
  }

  TempDir dir;
  Organisation acme;
  Terminal terminal;
  std::ostringstream out;
  std::ostringstream err;
  LocalContext context{terminal, false, out, err, kNowMs};
  RootOptions options;
};

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("init makes keys and a draft, which is a version when two of three have signed") {
  Ceremony c;
  c.options.signer_key = signing::to_text(c.acme.signer.public_key());
  c.options.audit_key = signing::to_text(c.acme.audit.public_key());
  REQUIRE(root_init(c.context, c.options));
  const auto keys = c.folder().draft()->root.root_keys;
  REQUIRE(keys.size() == 3);
  CHECK(has(c.said(), "NOT SIGNED BY ENOUGH keys of version 1: 0 of 2"));
  CHECK(root_init(c.context, c.options).error().code() == Errc::kInvalid);

  REQUIRE(c.sign_with(keys[0]));
  CHECK(has(c.said(), "1 of 2; who may still sign: " + signing::key_id(keys[1]).value()));
  CHECK(c.folder().chain() == nullptr);
  CHECK(c.sign_with(keys[0]).error().code() == Errc::kInvalid);  // Twice is once
  REQUIRE(c.sign_with(keys[1]));
  const auto folder = c.folder();
  REQUIRE(folder.chain() != nullptr);
  CHECK_FALSE(folder.draft());
  const auto root = folder.chain()->newest();
  CHECK(root.version == 1);
  CHECK(root.root_threshold == 2);
  CHECK(root.signers.at(0).delegation.max_targets == 1000);
  CHECK(root_verify(c.context, c.options));
  CHECK(has(c.said(), "version 1  sha256 "));
}

TEST_CASE("a change is a draft of the next version; another change voids its signatures") {
  Ceremony c;
  const auto keys = c.begin();
  c.options.names = {"ada", signing::to_text(c.acme.ada.public_key())};
  REQUIRE(root_add_approver(c.context, c.options));
  CHECK(c.folder().draft()->root.version == 2);
  REQUIRE(c.sign_with(keys[0]));
  c.said();
  c.options.names = {"grace " + signing::to_text(c.acme.grace.public_key())};
  REQUIRE(root_add_approver(c.context, c.options));
  CHECK(has(c.said(), "signatures it had are void"));
  CHECK(root_add_approver(c.context, c.options).error().code() == Errc::kInvalid);
  REQUIRE(c.sign_with(keys[0]));
  CHECK(c.folder().chain()->newest().version == 1);
  REQUIRE(c.sign_with(keys[1]));
  CHECK(c.folder().chain()->newest().version == 2);
  CHECK(c.folder().chain()->newest().approvers.size() == 2);

  c.options.names = {"ada"};
  REQUIRE(root_remove_approver(c.context, c.options));
  CHECK(root_remove_approver(c.context, c.options).error().code() == Errc::kNotFound);
  c.options.names = {signing::to_text(c.acme.signer.public_key())};
  REQUIRE(root_remove_signer(c.context, c.options));
  c.said();
  REQUIRE(root_show(c.context, c.options));
  CHECK(has(c.said(), "none: nobody may command anything"));
  REQUIRE(root_drop(c.context, c.options));
  CHECK_FALSE(c.folder().draft());
}

TEST_CASE("from a quick start's one key to two of three: both sides sign") {
  Ceremony c;
  auto quick = c.acme.root();
  quick.root_keys = {c.acme.roots[0].public_key()};
  quick.root_threshold = 1;
  REQUIRE(RootChain::begin(c.options.directory, sign_root(quick, {c.acme.roots[0]})));
  const std::string old_key = c.dir / "root.key";
  REQUIRE(signing::save_signing_key(old_key, c.acme.roots[0]));
  REQUIRE(root_rotate(c.context, c.options));
  const auto keys = c.folder().draft()->root.root_keys;
  REQUIRE(keys.size() == 3);
  REQUIRE(c.sign_with(keys[0]));
  REQUIRE(c.sign_with(keys[1]));
  CHECK(c.folder().chain()->newest().version == 1);  // Without the old key nobody follows
  CHECK(has(c.said(), "NOT SIGNED BY ENOUGH keys of version 1: 0 of 1"));
  c.options.key_file = old_key;
  REQUIRE(root_sign(c.context, c.options));
  CHECK(c.folder().chain()->newest().version == 2);
  CHECK(c.folder().chain()->newest().root_threshold == 2);
  // From then on the old key signs nothing.
  REQUIRE(root_renew(c.context, c.options));
  CHECK(root_sign(c.context, c.options).error().code() == Errc::kDenied);
}

TEST_CASE("sealed keys sign with their passphrase alone") {
  Ceremony c;
  c.options.passphrase = {c.dir / "passphrase", false};
  c.options.keys = c.options.threshold = 1;
  c.options.signer_key = signing::to_text(c.acme.signer.public_key());
  c.options.audit_key = signing::to_text(c.acme.audit.public_key());
  REQUIRE(files::write_atomic(c.options.passphrase.file, "short\n", 0600));
  CHECK(root_init(c.context, c.options).error().code() == Errc::kInvalid);
  REQUIRE(files::write_atomic(c.options.passphrase.file, "correct horse\n", 0600));
  REQUIRE(root_init(c.context, c.options));
  const auto key = c.folder().draft()->root.root_keys.at(0);
  const auto text = files::read(c.file_of(key)).value();
  CHECK(has(text, "SEALED"));
  REQUIRE(files::write_atomic(c.options.passphrase.file, "wrong horse\n", 0600));
  CHECK(c.sign_with(key).error().code() == Errc::kDenied);
  REQUIRE(files::write_atomic(c.options.passphrase.file, "correct horse\n", 0600));
  CHECK(c.sign_with(key));
  CHECK(c.folder().chain() != nullptr);
}

TEST_CASE("a root without an audit key can be drafted and not signed") {
  Ceremony c;
  c.options.signer_key = signing::to_text(c.acme.signer.public_key());
  REQUIRE(root_init(c.context, c.options));
  const auto keys = c.folder().draft()->root.root_keys;
  CHECK(c.sign_with(keys[0]).error().code() == Errc::kInvalid);
  c.options.names = {signing::to_text(c.acme.signer.public_key())};
  c.options.audit_key = signing::to_text(c.acme.audit.public_key());
  c.options.max_targets = 7;
  c.options.actions = {"docker.restart"};
  REQUIRE(root_add_signer(c.context, c.options));
  CHECK(c.folder().draft()->root.signers.size() == 1);
  CHECK(c.folder().draft()->root.signers[0].delegation.max_targets == 7);
  CHECK(c.sign_with(keys[0]));
  c.options.actions = {"docker.explode"};
  CHECK(root_add_signer(c.context, c.options).error().code() == Errc::kInvalid);
}

TEST_CASE("what ends soon is said from 60 days on") {
  CHECK(has(time_left(kNowMs + 61 * kDayMs, kNowMs), "in 61 days"));
  CHECK(has(time_left(kNowMs + 60 * kDayMs, kNowMs), "ONLY 60 days left"));
  CHECK(has(time_left(kNowMs + 29 * kDayMs, kNowMs), "ONLY 29 days left"));
  CHECK(has(time_left(kNowMs + kDayMs, kNowMs), "ONLY 1 day left"));
  CHECK(has(time_left(kNowMs, kNowMs), "IS OVER"));
}

TEST_CASE("the folder as JSON names who signed and who may still sign") {
  Ceremony c;
  const auto keys = c.begin();
  REQUIRE(root_renew(c.context, c.options));
  REQUIRE(c.sign_with(keys[1]));
  c.said();
  c.context.json = true;
  REQUIRE(root_show(c.context, c.options));
  const auto shown = boost::json::parse(c.out.str()).as_object();
  CHECK(shown.at("newest").as_object().at("version").as_int64() == 1);
  const auto& signatures = shown.at("draft").as_object().at("signatures").as_array();
  REQUIRE(signatures.size() == 2);
  for (const auto& one : signatures) {
    CHECK(one.as_object().at("given").as_array().size() == 1);
    CHECK(one.as_object().at("open").as_array().size() == 2);
    CHECK(one.as_object().at("needed").as_int64() == 2);
  }
}

TEST_CASE("an approver's key is made once and its line is what add-approver takes") {
  Ceremony c;
  c.options.out_file = c.dir / "me/approver.key";
  c.options.person = "ada";
  REQUIRE(approver_init(c.context, c.options));
  std::string line = c.out.str();
  line.pop_back();
  const auto key = signing::load_signing_key(c.options.out_file).value();
  CHECK(line == "ada " + signing::to_text(key.public_key()));
  CHECK(approver_init(c.context, c.options).error().code() == Errc::kInvalid);
  c.options.person.clear();
  c.begin();
  c.options.names = {line};
  REQUIRE(root_add_approver(c.context, c.options));
  CHECK(c.folder().draft()->root.approvers.at(0) == signing::ApproverKey{key.public_key(), "ada"});
  c.options.names = {"approver"};
  CHECK(root_add_approver(c.context, c.options).error().code() == Errc::kInvalid);
}
