// observeai audit verify and export, against a server's pages and offline.
#include <sstream>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/console.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/audit/audit_fixture.h"
#include "tests/unit/controlplane/cli/scripted_client.h"

namespace observeai::controlplane::cli {
namespace {

struct AuditFixture {
  test::TempDir dir;
  audit_test::Keys keys;
  std::string root = keys.root_envelope(1, keys.audit);
  std::vector<model::AuditEntry> log = audit_test::chained(6);
  ScriptedClient* http = new ScriptedClient;
  ApiClient api{std::unique_ptr<http::HttpClient>(http), "oak1_id_secret"};
  Terminal terminal;
  std::ostringstream out;
  std::ostringstream err;
  Context context{api, terminal, false, out, err};

  std::string first() const {
    std::string lines =
        audit::format_line(audit::ExportBegin{}) + audit::format_line(audit::ExportRoot{root});
    for (int i = 0; i < 4; ++i) lines += audit::format_line(log[static_cast<std::size_t>(i)]);
    return lines + audit::format_line(keys.head(log[3]));
  }
  std::string second() const { return audit::format_line(log[4]) + audit::format_line(log[5]); }
  std::string write(const std::string& name, const std::string& text) const {
    REQUIRE(files::write_atomic(dir / name.c_str(), text, 0600));
    return dir / name.c_str();
  }
  // What verifying a file says, or why it fails.
  std::string verify(const AuditVerifyOptions& options) {
    out.str("");
    const auto done = verify_audit_file(options, terminal, false, out);
    if (!done) CHECK(done.error().code() == Errc::kCorrupt);
    return done ? out.str() : done.error().message();
  }
};

bool holds(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

TEST_CASE("a file is verified offline, and what is not proven is said") {
  AuditFixture f;
  const auto file = f.write("audit.jsonl", f.first() + f.second());
  const auto unpinned = f.verify({file, "", ""});
  CHECK(holds(unpinned, "The audit log fits: 6 entries, 1 to 6"));
  CHECK(holds(unpinned, "1 signed head, the newest of entry 4"));
  CHECK(holds(unpinned, "2 entries behind it not signed yet"));
  CHECK(holds(unpinned, "Believed because the log itself says so"));
  const auto digest = signing::sha256(f.root);
  for (const auto& root :
       {text::to_hex(digest), text::to_base64url(digest), f.write("root", f.root)})
    CHECK(holds(f.verify({file, root, ""}), "as you said, now version 1"));
  CHECK(holds(f.verify({file, std::string(64, 'a'), ""}), "is not the one you trust"));
  std::ostringstream as_json;
  REQUIRE(verify_audit_file({file, "", ""}, f.terminal, true, as_json));
  const auto report = boost::json::parse(as_json.str()).as_object();
  CHECK(report.at("fits") == true);
  CHECK(report.at("unsigned_entries") == 2);
  CHECK(report.at("newest_head_seq") == 4);
}

TEST_CASE(
    "attack: a file that was changed: the entry is named, and a script sees it in the exit code") {
  AuditFixture f;
  f.log[1].object = "innocent";
  const auto file = f.write("audit.jsonl", f.first() + f.second());
  const auto why = f.verify({file, "", ""});
  CHECK(holds(why, "the audit log does not fit: entry 2 ("));
  std::string word = "observeai";
  std::vector<std::string> words{word, "--login-file", "/nonexistent", "audit", "verify", file};
  std::vector<char*> argv;
  for (auto& one : words) argv.push_back(one.data());
  argv.push_back(nullptr);
  CHECK(run_console(static_cast<int>(words.size()), argv.data()) == kFailed);
}

TEST_CASE(
    "attack: a log without its end, or computed anew, against heads that were kept elsewhere") {
  AuditFixture f;
  const auto kept = f.write("heads.jsonl", audit::format_line(f.keys.head(f.log[3])) +
                                               audit::format_line(f.keys.head(f.log[5])));
  const auto whole = f.write("whole.jsonl", f.first() + f.second());
  CHECK(holds(f.verify({whole, "", kept}), "2 heads that were kept elsewhere found in it"));
  const auto cut = f.write("cut.jsonl", f.first());
  CHECK(holds(f.verify({cut, "", ""}), "fits"));
  CHECK(holds(f.verify({cut, "", kept}), "2 entries are gone"));
  f.log[2].object = "innocent";
  audit_test::chain_again(f.log);
  const auto anew = f.write("anew.jsonl", f.first() + f.second());  // Its heads signed anew too
  CHECK(holds(f.verify({anew, "", ""}), "fits"));
  CHECK(holds(f.verify({anew, "", kept}), "The first entry that was changed is one from 1 to 4"));
}

TEST_CASE("the server's log is verified and exported page by page") {
  AuditFixture f;
  const auto begin = "/v1/audit/export?after_seq=0&limit=10000";
  const auto next = "/v1/audit/export?after_seq=4&limit=10000";
  f.http->bodies[begin] = f.first() + audit::format_line(audit::ExportMore{4});
  f.http->bodies[next] = audit::format_line(audit::ExportBegin{{4, f.log[3].hash}}) + f.second();
  REQUIRE(verify_audit(f.context, {}));
  CHECK(holds(f.out.str(), "6 entries, 1 to 6"));
  f.out.str("");
  REQUIRE(export_audit(f.context, ""));
  const auto exported = f.write("exported.jsonl", f.out.str());
  CHECK(holds(f.verify({exported, "", ""}), "6 entries, 1 to 6"));
  REQUIRE(export_audit(f.context, f.dir / "written.jsonl"));
  CHECK(files::read(f.dir / "written.jsonl").value() == files::read(exported).value());
  f.terminal.interactive = true;
  CHECK_FALSE(export_audit(f.context, ""));
  // A server whose pages do not end, and one that sends something else.
  f.http->bodies[next] = f.http->bodies[begin];
  CHECK_FALSE(verify_audit(f.context, {}));
  f.http->bodies[begin] = audit::format_line(audit::ExportMore{0});
  CHECK_FALSE(export_audit(f.context, f.dir / "x"));
  f.http->bodies[begin] = "";
  CHECK_FALSE(export_audit(f.context, f.dir / "x"));
}

TEST_CASE("files that are no logs or heads are called that") {
  AuditFixture f;
  CHECK(verify_audit_file({"/nonexistent", "", ""}, f.terminal, false, f.out).error().code() ==
        Errc::kNotFound);
  const auto file = f.write("audit.jsonl", f.first());
  CHECK(verify_audit_file({file, "nonsense", ""}, f.terminal, false, f.out).error().code() ==
        Errc::kInvalid);
  CHECK(verify_audit_file({file, "", f.write("h", "{}\n")}, f.terminal, false, f.out)
            .error()
            .code() == Errc::kInvalid);
  const auto long_line = f.write("long", std::string(audit::kMaxLineBytes + 10, 'x'));
  CHECK(holds(f.verify({long_line, "", ""}), "longer"));
}

}  // namespace
}  // namespace observeai::controlplane::cli
