// The bytes on the wire, pinned: tests/golden/wire/*.hex. A change here is a change of the
// protocol. OBSERVEAI_UPDATE_GOLDEN=1 writes the files anew, and with them the seeds of the fuzz
// corpora.
#include <doctest/doctest.h>

#include <cstdlib>

#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/detail/seal_with_nonce.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/framing.h"
#include "protocol/wire/detail/zstd.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"
#include "protocol/wire/sealed.h"
#include "tests/unit/protocol/wire/command_values.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

// Two digits a byte, 32 bytes a line, so that a difference can be read.
std::string to_lines(const std::string& bytes) {
  const auto hex = text::to_hex(text::as_bytes(bytes));
  std::string out;
  for (std::size_t at = 0; at < hex.size(); at += 64) out.append(hex, at, 64).append("\n");
  return out;
}

std::string from_lines(std::string lines) {
  lines.erase(std::remove(lines.begin(), lines.end(), '\n'), lines.end());
  const auto bytes = text::from_hex(lines).value();
  return std::string(bytes.begin(), bytes.end());
}

bool updating() {
  const char* update = std::getenv("OBSERVEAI_UPDATE_GOLDEN");
  return update != nullptr && std::string_view(update) == "1";
}

// Gives the golden bytes; with the environment's permission `bytes`, if any, become golden first.
std::string golden(const std::string& name, const std::string& bytes) {
  const std::string path = std::string(OBSERVEAI_GOLDEN) + "/wire/" + name + ".hex";
  if (updating() && !bytes.empty()) REQUIRE(files::write_atomic(path, to_lines(bytes), 0644));
  const auto lines = files::read(path);
  REQUIRE_MESSAGE(lines, path);
  return from_lines(*lines);
}

void seed_corpus(const std::string& target, const std::string& name, const std::string& bytes) {
  if (!updating()) return;
  const std::string folder = std::string(OBSERVEAI_GOLDEN) + "/../fuzz/corpus/" + target;
  REQUIRE(files::make_directories(folder, 0755));
  REQUIRE(files::write_atomic(folder + "/" + name, bytes, 0644));
}

void pinned(const std::string& name, const std::string& bytes) {
  CAPTURE(name);
  CHECK(to_lines(bytes) == to_lines(golden(name, bytes)));
}

signing::SecretKey32 fixed_key(std::uint8_t fill) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(fill);
  return signing::SecretKey32(bytes);
}
signing::SigningKeyPair fixed_pair(std::uint8_t fill) {
  return signing::SigningKeyPair::from_seed(fixed_key(fill));
}
constexpr signing::detail::SealNonce kNonce{1, 2, 3};

Epoch epoch() {
  return {{0xE0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
}
Nonce16 nonce() {
  return {0xA0, 1, 2, 3};
}
AgentId agent() {
  return AgentId::parse("web-01").value();
}

BatchHeader header() {
  return {.agent = agent(),
          .epoch = epoch(),
          .lane = Lane::kMetrics,
          .seq = 42,
          .n = 4,
          .first_ts_ms = 1'700'000'000'000,
          .last_ts_ms = 1'700'000'010'000,
          .codec = Codec::kZstd,
          .origin = {},
          .session = {}};
}
SampleBatch samples() {
  return {{{.ts_ms = 1'700'000'000'000,
            .series = {1, 2, 300, 70'000},
            .values = {0, 104'857'600, 0.25, std::nan("")}},
           {.ts_ms = 1'700'000'010'000,
            .series = {1, 2, 300},
            .values = {-1, 9007199254740992.0, -0.0}}}};
}
LogBatch logs() {
  return {{{.target = "container/" + std::string(64, 'a'),
            .stream = LogStream::kStdout,
            .ts_ns = 1'700'000'000'000'000'001,
            .text = "GET /index.html 200"},
           {.target = "unit/nginx.service",
            .stream = LogStream::kOther,
            .ts_ns = 1'699'999'999'999'999'999,
            .text = std::string("not \xFF text\0", 11),
            .flags = log_flags::kMalformed},
           {.target = "container/" + std::string(64, 'a'),
            .stream = LogStream::kStderr,
            .ts_ns = 1'700'000'000'500'000'000,
            .text = "cut",
            .flags = log_flags::kTruncated,
            .original_bytes = 2'000'000}}};
}
// Every field of every message differs from its default.
ControlBatch control() {
  test::Generator random(20231114);
  ControlBatch batch;
  batch.series = {{.id = 1,
                   .target = "host",
                   .name = "node_cpu_seconds_total",
                   .labels = {{"cpu", "0"}, {"mode", "idle"}},
                   .kind = MetricKind::kCounter}};
  auto inventory = random.inventory();
  inventory.host = random.host();
  inventory.containers = {true, {random.container(), random.container()}, {"gone"}};
  inventory.processes = {true, {random.process()}, {"old"}};
  inventory.units = {false, {random.unit()}, {"dead.service"}};
  inventory.ports = {true, {random.port()}, {"tcp/0.0.0.0/80"}};
  batch.inventory = {inventory};
  batch.events = {{.ts_ms = 1'700'000'000'000,
                   .kind = "container.oom",
                   .target = "host",
                   .severity = Severity::kCritical,
                   .message = "killed",
                   .attributes = {{"pid", "77"}}}};
  batch.ledger = {{.source = "metrics",
                   .lane = Lane::kMetrics,
                   .as_of_seq = 9,
                   .records_read = 100,
                   .bytes_read = 1000,
                   .records_spooled = 90,
                   .records_dropped = {{"quota", 10}},
                   .bytes_dropped = {{"rotated", 77}}}};
  batch.results = {"an envelope"};
  return batch;
}
Hello hello() {
  Hello out;
  out.agent = agent();
  out.epoch = epoch();
  out.session_nonce = nonce();
  out.protocol_version = 1;
  out.agent_version = "0.1.0";
  out.boot_id = "boot";
  out.machine_id_sha256 = "ab";
  out.wall_time_ms = 1'700'000'000'000;
  out.series_known = 3000;
  out.inventory_digest = "cd";
  out.next_seq = {2, 43, 9, 1};
  out.oldest_seq = {1, 40, 9, 1};
  out.spool_bytes = 1 << 20;
  out.counters = {{"logs.dropped", 0}, {"uplink.reconnects", 3}};
  return out;
}
Ack ack() {
  Ack out;
  out.agent = agent();
  out.epoch = epoch();
  out.contiguous = {1, 42, 8, 0};
  out.credit_bytes = 4 << 20;
  out.server_time_ms = 1'700'000'000'123;
  out.session_nonce = nonce();
  out.need_series = true;
  out.need_inventory = true;
  return out;
}
// What ADR 10 added, apart from the bytes before it: those still decode, to the same values.
BatchHeader moved_header() {
  auto out = header();
  out.n = 0;
  out.codec = Codec::kLost;
  out.origin = BatchOrigin{{{0xD0, 1, 2}}, 41};
  out.session = {0xA0, 1, 2, 3};
  return out;
}
LossNotice loss() {
  return {loss_reasons::kEvicted,
          {{"log/container/" + std::string(64, 'a'), 1000, 123'456}, {"log/unit/x", 1, 0}}};
}
Hello hello_with_pending() {
  auto out = hello();
  out.pending[0].oldest = {{1, 2, 3, 4, 5, 6, 7, 8}};
  out.pending[1].oldest = {{9, 9}, {}};
  out.pending[1].newest = {{0xFF}};
  return out;
}
Ack ack_with_runs() {
  auto out = ack();
  out.runs[1] = {{44, 44}, {50, 1000}};
  out.runs[2] = {{10, 300}};
  out.forked = true;
  out.newest[1] = {1000, {1, 2, 3, 4, 5, 6, 7, 8}};
  return out;
}
// What a challenge added.
Hello hello_with_challenge() {
  auto out = hello();
  out.challenge = {0xC0, 1, 2, 3};
  out.number = 300;
  return out;
}
Hello hello_with_executor() {
  auto out = hello_with_challenge();
  out.executor = ExecutorReport{.session = {0xB0, 1},
                                .time_challenge = {0xB1, 2},
                                .command_seq = 300,
                                .root_version = 2,
                                .policy_hash = std::string(64, 'e'),
                                .state = "ready",
                                .audit_seq = 77,
                                .audit_hash = {0xB2, 3}};
  return out;
}
Ack ack_with_challenge() {
  auto out = ack();
  out.challenge = {0xC0, 1, 2, 3};
  return out;
}
signing::RootMetadata root() {
  signing::RootMetadata out;
  out.version = 1;
  out.expires_ms = 1'800'000'000'000;
  out.root_threshold = 2;
  out.root_keys = {fixed_pair(1).public_key(), fixed_pair(2).public_key(),
                   fixed_pair(3).public_key()};
  out.signers = {
      {fixed_pair(4).public_key(),
       {{TenantId::parse("acme").value()}, {"workload.restart"}, 10, 1'750'000'000'000}}};
  out.approvers = {{fixed_pair(5).public_key(), "ada"}};
  out.audit_key = fixed_pair(6).public_key();
  return out;
}
std::string root_envelope() {
  signing::SignedEnvelope envelope{signing::kRootType, encode_root(root()), {}};
  add_signature(envelope, fixed_pair(1));
  add_signature(envelope, fixed_pair(3));
  return encode_envelope(envelope);
}

std::string sealed(std::string_view plain, std::string_view domain, std::string_view context) {
  return signing::detail::seal_with_nonce(plain, detail::associated_data(domain, context),
                                          fixed_key(9), kNonce);
}

}  // namespace

TEST_CASE("messages have their golden bytes") {
  pinned("header", encode_header(header()));
  pinned("hello", encode_hello(hello()));
  pinned("ack", encode_ack(ack()));
  pinned("root", encode_root(root()));
  pinned("envelope", root_envelope());
  CHECK(verify_pinned_root(golden("envelope", root_envelope()),
                           signing::sha256_hex(root_envelope()), 0)
            ->root == root());
  seed_corpus("fuzz_trust", "envelope", root_envelope());
  seed_corpus("fuzz_trust", "root", encode_root(root()));
  seed_corpus("fuzz_sealed", "header", encode_header(header()));
  seed_corpus("fuzz_sealed", "hello", encode_hello(hello()));
  seed_corpus("fuzz_sealed", "ack", encode_ack(ack()));
}

TEST_CASE("losses, origins, pending tags and runs have their golden bytes and decode") {
  pinned("header_moved", encode_header(moved_header()));
  pinned("hello_pending", encode_hello(hello_with_pending()));
  pinned("ack_runs", encode_ack(ack_with_runs()));
  pinned("loss", encode_loss(loss()).value());
  CHECK(decode_header(golden("header_moved", {})).value() == moved_header());
  CHECK(test::same(decode_hello(golden("hello_pending", {})).value(), hello_with_pending()));
  CHECK(test::same(decode_ack(golden("ack_runs", {})).value(), ack_with_runs()));
  CHECK(decode_loss(golden("loss", {})).value() == loss());
  seed_corpus("fuzz_sealed", "header_moved", encode_header(moved_header()));
  seed_corpus("fuzz_sealed", "hello_pending", encode_hello(hello_with_pending()));
  seed_corpus("fuzz_sealed", "ack_runs", encode_ack(ack_with_runs()));
  seed_corpus("fuzz_sealed", "loss", encode_loss(loss()).value());
}

TEST_CASE("challenges have their golden bytes and decode") {
  pinned("hello_challenge", encode_hello(hello_with_challenge()));
  pinned("ack_challenge", encode_ack(ack_with_challenge()));
  CHECK(test::same(decode_hello(golden("hello_challenge", {})).value(), hello_with_challenge()));
  CHECK(test::same(decode_ack(golden("ack_challenge", {})).value(), ack_with_challenge()));
  seed_corpus("fuzz_sealed", "hello_challenge", encode_hello(hello_with_challenge()));
  seed_corpus("fuzz_sealed", "ack_challenge", encode_ack(ack_with_challenge()));
}

TEST_CASE("what a hello tells of the executor has its golden bytes and decodes") {
  pinned("hello_executor", encode_hello(hello_with_executor()));
  CHECK(test::same(decode_hello(golden("hello_executor", {})).value(), hello_with_executor()));
  seed_corpus("fuzz_sealed", "hello_executor", encode_hello(hello_with_executor()));
}

TEST_CASE("bytes from before runs, origins and pending tags decode to what they were") {
  CHECK(decode_header(golden("header", encode_header(header()))).value() == header());
  CHECK(test::same(decode_hello(golden("hello", encode_hello(hello()))).value(), hello()));
  CHECK(test::same(decode_ack(golden("ack", encode_ack(ack()))).value(), ack()));
}

// The frame around a body depends on the version of libzstd; the body does not. So bodies are
// compared, and frames must decode to the same values.
TEST_CASE("bodies have their golden bytes, and golden frames decode") {
  const auto control_body = detail::serialize_control(control()).value();
  const auto samples_body = detail::serialize_samples(samples()).value();
  const auto [logs_body, logs_ends] = detail::serialize_logs(logs()).value();
  pinned("control_body", control_body);
  pinned("samples_body", samples_body);
  pinned("logs_body", logs_body);

  const auto control_frame = golden("control_zstd", detail::compress(control_body).value());
  const auto samples_frame = golden("samples_zstd", detail::compress(samples_body).value());
  const auto logs_frame =
      golden("logs_zstd", detail::compress(logs_body, detail::Effort::kFast, logs_ends).value());
  CHECK(test::same(decode_control(control_frame, Codec::kZstd).value(), control()));
  CHECK(test::same(decode_samples(samples_frame, Codec::kZstd).value(), samples()));
  CHECK(test::same(decode_logs(logs_frame, Codec::kZstd).value(), logs()));

  seed_corpus("fuzz_control", "body", control_body);
  seed_corpus("fuzz_control", "zstd", control_frame);
  seed_corpus("fuzz_samples", "body", samples_body);
  seed_corpus("fuzz_samples", "zstd", samples_frame);
  seed_corpus("fuzz_logs", "body", logs_body);
  seed_corpus("fuzz_logs", "zstd", logs_frame);
}

TEST_CASE("sealed messages have their golden bytes and open") {
  const auto head = encode_header(header());
  const std::string body = "a packed body";
  const auto batch = detail::join({head, sealed(body, detail::kBatchDomain, head)});
  pinned("sealed_batch", batch);
  const auto opened = open_batch(golden("sealed_batch", batch), fixed_key(9)).value();
  CHECK(opened.header == header());
  CHECK(opened.body == body);

  const auto sealed_hello = sealed(encode_hello(hello()), detail::kHelloDomain, "web-01");
  pinned("sealed_hello", sealed_hello);
  CHECK(test::same(open_hello(golden("sealed_hello", sealed_hello), agent(), fixed_key(9)).value(),
                   hello()));

  const auto sealed_ack = sealed(encode_ack(ack()), detail::kAckDomain, "web-01");
  pinned("sealed_ack", sealed_ack);
  CHECK(
      test::same(open_ack(golden("sealed_ack", sealed_ack), agent(), fixed_key(9)).value(), ack()));
  seed_corpus("fuzz_sealed", "sealed_batch", batch);
  seed_corpus("fuzz_sealed", "sealed_hello", sealed_hello);
}

TEST_CASE("commands and what belongs to them have their golden bytes") {
  const std::pair<const char*, std::string> all[] = {
      {"intent", encode_intent(test::intent()).value()},
      {"command", encode_command(test::execute()).value()},
      {"command_dry_run", encode_command(test::dry_run()).value()},
      {"approval", encode_approval(test::approval()).value()},
      {"result", encode_result(test::result()).value()},
      {"time", encode_time(test::time_statement()).value()},
      {"audit_head", encode_audit_head(test::audit_head()).value()},
      {"meta", encode_meta(test::meta()).value()},
  };
  for (const auto& [name, bytes] : all) {
    pinned(name, bytes);
    seed_corpus("fuzz_command", name, bytes);
  }
  CHECK(decode_command(golden("command", {})).value() == test::execute());
  CHECK(decode_result(golden("result", {})).value() == test::result());
  pinned("diff_digest", std::string(text::as_text(diff_digest(test::result().diff))));
  const auto agent_id = agent();
  const auto sealed_command = sealed("an envelope", detail::kCommandDomain, "web-01");
  pinned("sealed_command", sealed_command);
  CHECK(open_command(sealed_command, agent_id, fixed_key(9)).value() == "an envelope");
  const auto sealed_meta = sealed("a meta", detail::kMetaDomain, "web-01");
  pinned("sealed_meta", sealed_meta);
  CHECK(open_meta(sealed_meta, agent_id, fixed_key(9)).value() == "a meta");
}

TEST_CASE("the inventory digest is pinned: both sides must agree on it") {
  pinned("inventory_digest", inventory_digest(control().inventory[0]));
}
