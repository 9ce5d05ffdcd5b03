#include <doctest/doctest.h>

#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "tests/unit/controlplane/audit/audit_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::audit_test;
namespace audit = observeai::controlplane::audit;

namespace {

// An export of nine entries with heads behind the third, sixth and eighth, line by line.
struct Export {
  Keys keys;
  std::vector<model::AuditEntry> log = chained(9);
  std::vector<std::string> lines;

  Export() { write(); }
  void write() {
    lines = {audit::format_line(audit::ExportBegin{}),
             audit::format_line(audit::ExportRoot{keys.root_envelope(1, keys.audit)})};
    for (const auto& entry : log) {
      lines.push_back(audit::format_line(entry));
      if (entry.seq == 3 || entry.seq == 6 || entry.seq == 8)
        lines.push_back(audit::format_line(keys.head(entry)));
    }
  }
  std::string root_sha256() const { return signing::sha256_hex(keys.root_envelope(1, keys.audit)); }
};

Result<audit::ExportReport> verify(const std::vector<std::string>& lines, std::string pin = "",
                                   const std::vector<wire::AuditHead>& kept = {}) {
  audit::ExportVerifier verifier(std::move(pin));
  for (const auto& head : kept) {
    TRY_VOID(verifier.expect(head));
  }
  for (const auto& line : lines) {
    TRY_VOID(verifier.add(std::string_view(line).substr(0, line.size() - 1)));
  }
  return verifier.finish();
}

std::string why(const std::vector<std::string>& lines,
                const std::vector<wire::AuditHead>& kept = {}) {
  const auto verified = verify(lines, "", kept);
  return verified ? "" : verified.error().message();
}

bool says(const std::string& message, std::string_view part) {
  INFO(message);
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an export verifies offline, and the report says what that is worth") {
  const Export file;
  const auto report = verify(file.lines, file.root_sha256());
  REQUIRE(report);
  CHECK(report->entries == 9);
  CHECK(report->end == model::AuditPoint{9, file.log.back().hash});
  CHECK(report->heads == 3);
  CHECK(report->newest_head->seq == 8);
  CHECK(report->unsigned_entries == 1);
  CHECK(report->is_pinned);
  CHECK(report->root_version == 1);
  CHECK_FALSE(report->is_part);
  const auto unpinned = verify(file.lines);
  REQUIRE(unpinned);
  CHECK_FALSE(unpinned->is_pinned);
  CHECK(unpinned->root_sha256 == file.root_sha256());
}

TEST_CASE("every line is read as what was written") {
  Export file;
  file.log[0].actor = "user:\xff\xfe";
  file.log[1].object = "line\nend \"quoted\" \xE2\x82\xAC";
  file.log[2].ts_ms = -5;
  chain_again(file.log);
  file.write();
  for (const auto& line : file.lines) {
    const auto read = audit::parse_line(line);
    REQUIRE(read);
    CHECK(audit::format_line(*read) == line);
  }
  CHECK(why(file.lines).empty());
}

TEST_CASE("pages behind each other are one export, a page that is missing is noticed") {
  const Export file;
  std::vector<std::string> pages(file.lines.begin(), file.lines.begin() + 6);  // To the first head
  pages.push_back(audit::format_line(audit::ExportMore{3}));
  const auto first_page = pages;
  pages.push_back(audit::format_line(audit::ExportBegin{{3, file.log[2].hash}}));
  pages.push_back(file.lines[1]);
  pages.insert(pages.end(), file.lines.begin() + 6, file.lines.end());
  const auto whole = verify(pages);
  REQUIRE(whole);
  CHECK(whole->entries == 9);
  CHECK_FALSE(whole->is_part);
  const auto part = verify(first_page);
  REQUIRE(part);
  CHECK(part->is_part);
  pages.erase(pages.begin() + 2, pages.begin() + 4);
  CHECK(says(why(pages), "entry 1 is missing"));
  const std::vector<std::string> second(pages.begin() + 5, pages.end());
  const auto from_there = verify(second);
  REQUIRE(from_there);
  CHECK(from_there->after_seq == 3);
  CHECK(from_there->entries == 6);
}

TEST_CASE("attack: any byte of any line changed never verifies as another log" *
          doctest::test_suite("attacks")) {
  const Export file;
  const auto honest = verify(file.lines, file.root_sha256()).value();
  std::size_t refused = 0;
  for (std::size_t victim = 0; victim < file.lines.size(); ++victim) {
    for (std::size_t at = 0; at + 1 < file.lines[victim].size(); ++at) {
      auto lines = file.lines;
      lines[victim][at] = static_cast<char>(lines[victim][at] ^ 1);
      const auto verified = verify(lines, file.root_sha256());
      if (!verified) {
        ++refused;
        continue;
      }
      // The last bits of a base64 text may be free: then the very same was read.
      REQUIRE(verified->end == honest.end);
      REQUIRE(verified->newest_head == honest.newest_head);
      REQUIRE(verified->root_sha256 == honest.root_sha256);
    }
  }
  CHECK(refused > 3'000);
}

TEST_CASE("attack: lines removed, repeated or exchanged" * doctest::test_suite("attacks")) {
  for (std::size_t victim = 2; victim + 1 < Export().lines.size(); ++victim) {
    Export file;
    const bool is_head = file.lines[victim].starts_with(R"({"head")");
    const auto line = file.lines[victim];
    file.lines.erase(file.lines.begin() + static_cast<std::ptrdiff_t>(victim));
    CHECK(why(file.lines).empty() == is_head);  // A head that is left out proves less, not else
    file.lines.insert(file.lines.begin() + static_cast<std::ptrdiff_t>(victim) + 1, line);
    CHECK_FALSE(why(file.lines).empty());
  }
}

TEST_CASE("attack: the last entries removed: heads that stayed tell, or those kept elsewhere" *
          doctest::test_suite("attacks")) {
  Export file;
  const auto newest = file.keys.head(file.log[7]);
  file.lines.erase(file.lines.begin() + 9, file.lines.end());  // After entry 6
  CHECK(why(file.lines).empty());                              // Alone it is a whole, shorter log
  CHECK(says(why(file.lines, {newest.head}), "2 entries are gone"));
  file.lines.push_back(audit::format_line(newest));
  CHECK(says(why(file.lines), "entry 7 and all up to entry 8 are missing"));
}

TEST_CASE("attack: the chain computed anew after a change is refused by the first head behind it" *
          doctest::test_suite("attacks")) {
  Export file;
  const auto kept = file.keys.head(file.log[5]).head;
  const Export honest = file;
  file.log[4].object = "innocent";
  chain_again(file.log);
  for (std::size_t i = 2, entry = 0; i < file.lines.size(); ++i) {
    if (!file.lines[i].starts_with(R"({"head")"))
      file.lines[i] = audit::format_line(file.log[entry++]);
  }
  CHECK(says(why(file.lines), "The first entry that was changed is one from 4 to 6"));
  // With the heads gone too, only who kept one elsewhere notices.
  std::erase_if(file.lines, [](const auto& line) { return line.starts_with(R"({"head")"); });
  CHECK(why(file.lines).empty());
  CHECK(says(why(file.lines, {kept}), "the log was rewritten"));
}

TEST_CASE("attack: a head that another key signed is forged" * doctest::test_suite("attacks")) {
  Export file;
  const auto other = signing::SigningKeyPair::generate();
  file.log[4].object = "innocent";
  chain_again(file.log);
  file.write();
  for (auto& line : file.lines) {
    if (line.starts_with(R"({"head")"))
      line = audit::format_line(file.keys.head({6, file.log[5].hash}, 1, other));
  }
  CHECK(says(why(file.lines), "is forged"));
  file.lines[1] = audit::format_line(audit::ExportRoot{file.keys.root_envelope(1, other)});
  CHECK(says(verify(file.lines, Export().root_sha256()).error().message(),
             "is not the one you trust"));
}

TEST_CASE("attack: the signed bytes of another type, or a head that shows other numbers" *
          doctest::test_suite("attacks")) {
  Export file;
  auto head = file.keys.head(file.log[2]);
  signing::SignedEnvelope envelope{wire::kTimeType, wire::encode_audit_head(head.head).value(), {}};
  signing::add_signature(envelope, file.keys.audit);
  head.envelope = wire::encode_envelope(envelope);
  file.lines[5] = audit::format_line(head);
  CHECK(says(why(file.lines), "another type"));
  head = file.keys.head(file.log[2]);
  head.head.unix_ms += 1;
  file.lines[5] = audit::format_line(head);
  CHECK(says(why(file.lines), "not the one that was signed"));
}

TEST_CASE("the audit key may change with the root; the one before signs nothing from then on") {
  Export file;
  const auto next = signing::SigningKeyPair::generate();
  const auto head_of = [&](std::size_t entry, const signing::SigningKeyPair& key) {
    const auto& signed_entry = file.log[entry - 1];
    return audit::format_line(
        file.keys.head({signed_entry.seq, signed_entry.hash}, 2'000'000'000'000, key));
  };
  file.lines.insert(file.lines.begin() + 2,
                    audit::format_line(audit::ExportRoot{file.keys.root_envelope(2, next)}));
  file.lines[10] = head_of(6, next);
  file.lines[13] = head_of(8, next);
  const auto report = verify(file.lines, file.root_sha256());
  REQUIRE(report);
  CHECK(report->root_version == 2);
  file.lines[13] = head_of(8, file.keys.audit);
  CHECK(says(why(file.lines), "an audit key that was replaced before"));
  // Not a successor: signed by somebody else.
  file.lines[2] = audit::format_line(audit::ExportRoot{Keys().root_envelope(2, next)});
  CHECK(says(why(file.lines), "root metadata"));
}

TEST_CASE("heads that were kept and contradict each other prove it without any log") {
  audit::ExportVerifier verifier;
  const auto log = chained(3);
  REQUIRE(verifier.expect({3, log[2].hash, 1}));
  REQUIRE(verifier.expect({3, log[2].hash, 2}));
  CHECK(says(verifier.expect({3, log[1].hash, 3}).error().message(), "contradict"));
}

TEST_CASE("what is no export is called that") {
  CHECK(says(why({}), "it is empty"));
  CHECK(says(why({"\n", "\n"}), "it is empty"));
  CHECK(says(why({"{}\n"}), "line 1"));
  CHECK(says(why({Export().lines[2]}), "first line"));
  CHECK(says(why({Export().lines[0], "[1]\n"}), "line 2: not a JSON object"));
  CHECK(says(why({Export().lines[0], R"({"seq":1})"
                                     "\n"}),
             "has no \"ts_ms\""));
  auto more = Export().lines[2];
  more.insert(more.size() - 2, R"(,"x":1)");
  CHECK(says(why({Export().lines[0], more}), "a member that no such line has"));
  CHECK(audit::parse_line(std::string(audit::kMaxLineBytes + 1, ' ')).error().code() ==
        Errc::kLimit);
}
