#include "protocol/pki/enroll_messages.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::pki;

namespace {
EnrollRequest request() {
  EnrollRequest out;
  out.token_id = "abcdefghij";
  out.secret.fill(7);
  out.csr_pem = "-----BEGIN\n";
  out.hostname = "web \"1\"";
  out.machine_id_sha256 = std::string(64, 'f');
  out.sealing_public_key.fill(1);
  out.result_public_key.fill(2);
  out.agent_version = "0.1.0";
  out.wall_time_ms = 1'700'000'000'123;
  return out;
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
template <class T>
std::string why(const Result<T>& result) {
  return result ? "" : result.error().message();
}
}  // namespace

TEST_CASE("an enrollment request survives its JSON; unknown keys are ignored") {
  const auto text = encode(request());
  const auto out = decode_enroll_request(replaced(text, "{", R"({"later":[1],)")).value();
  CHECK(out.token_id == "abcdefghij");
  CHECK(out.secret == request().secret);
  CHECK(out.csr_pem == request().csr_pem);
  CHECK(out.hostname == request().hostname);
  CHECK(out.sealing_public_key == request().sealing_public_key);
  CHECK(out.result_public_key == request().result_public_key);
  CHECK(out.wall_time_ms == request().wall_time_ms);
}

TEST_CASE("a bad field is named") {
  const auto text = encode(request());
  const auto error = [](const std::string& body) { return why(decode_enroll_request(body)); };
  CHECK(error("").find("not JSON") != std::string::npos);
  CHECK(error("[]") == "body is not a JSON object");
  CHECK(error("{}") == "field \"token_id\" is missing");
  CHECK(error(replaced(text, "\"hostname\":\"web", "\"hostname\":\"" + std::string(300, 'x')))
            .find("field \"hostname\" is longer than 253") != std::string::npos);
  CHECK(error(replaced(text, "1700000000123", "\"soon\""))
            .find("field \"wall_time_ms\" must be a whole number") != std::string::npos);
  CHECK(error(replaced(text, "1700000000123", "1.5")).find("wall_time_ms") != std::string::npos);
  CHECK(error(replaced(text, "1700000000123", "-1")).find("wall_time_ms") != std::string::npos);
  CHECK(error(replaced(text, "\"sealing_public_key\":\"", "\"sealing_public_key\":\"AA"))
            .find("sealing_public_key") != std::string::npos);
  CHECK(error(replaced(text, "\"agent_version\":\"0.1.0\"", "\"agent_version\":null")) ==
        "field \"agent_version\" must be a string");
  CHECK(decode_enroll_request(std::string(kMaxEnrollBodyBytes + 1, ' ')).error().code() ==
        Errc::kLimit);
  CHECK_FALSE(decode_enroll_request(std::string(1000, '[')));
}

TEST_CASE("the other bodies survive their JSON") {
  EnrollResponse enrolled;
  enrolled.agent_id = "web-1";
  enrolled.tenant = "default";
  enrolled.shard = 63;
  enrolled.certificate_pem = "cert";
  enrolled.server_ca_pem = "ca";
  enrolled.brokers = {{"cp.example.com", 8883}, {"::1", 1}};
  enrolled.controlplane_public_key.fill(9);
  enrolled.root_metadata = std::string("\0\xFF bytes", 8);
  enrolled.server_time_ms = 5;
  const auto text = encode(enrolled);
  const auto back = decode_enroll_response(text).value();
  CHECK(back.root_metadata == enrolled.root_metadata);
  CHECK(back.brokers == enrolled.brokers);
  CHECK(back.shard == 63);
  CHECK_FALSE(decode_enroll_response(replaced(text, "\"shard\":63", "\"shard\":64")));
  CHECK_FALSE(decode_enroll_response(replaced(text, ":8883", ":0")));

  const ConfirmRequest confirm{"web-1", 17, "sig\xFF"};
  CHECK(decode_confirm_request(encode(confirm))->signature == confirm.signature);
  CHECK(decode_confirm_response(encode(ConfirmResponse{true, 3}))->active);
  CHECK_FALSE(decode_confirm_response(encode(ConfirmResponse{false, 3}))->active);
  CHECK_FALSE(decode_confirm_response(R"({"state":"maybe","server_time_ms":3})"));

  const RenewRequest renew{"web-1", "cert", "csr", 18, "s"};
  CHECK(decode_renew_request(encode(renew))->timestamp_ms == 18);
  const RenewResponse renewed{"cert2", "agents", "ca2", {{"b", 2}}, 19};
  CHECK(decode_renew_response(encode(renewed))->certificate_pem == "cert2");
  CHECK_FALSE(decode_renew_response(replaced(encode(renewed), R"([{"host":"b","port":2}])", "[]")));
}

TEST_CASE("statements of different kinds, hosts and times differ") {
  CHECK(renew_statement("a", 1, "csr") != renew_statement("b", 1, "csr"));
  CHECK(renew_statement("a", 1, "csr") != renew_statement("a", 2, "csr"));
  CHECK(renew_statement("a", 1, "csr") != renew_statement("a", 1, "CSR"));
  CHECK(confirm_statement("a", 1) != confirm_statement("a", 2));
}

TEST_CASE("an error's message is read from our shape and made printable from any") {
  CHECK(decode_error_message(encode_error(Error(Errc::kDenied, "token is used up"))) ==
        "token is used up");
  CHECK(decode_error_message(R"({"message":"plain"})") == "plain");
  CHECK(decode_error_message("<html>\x1B[2J").find('\x1B') == std::string::npos);
}

TEST_CASE("clock offsets read well") {
  const std::int64_t now = 1'700'000'000'000;
  CHECK(describe_clock_offset(now + 86'400'000, now) == "24h 0m ahead of");
  CHECK(describe_clock_offset(now - 86'460'000, now) == "24h 1m behind");
  CHECK(describe_clock_offset(now - 310'000, now) == "5m 10s behind");
  CHECK(describe_clock_offset(now, now) == "0s ahead of");
  CHECK(decode_health_time(R"({"status":"ok","time_ms":42})").value() == 42);
  CHECK_FALSE(decode_health_time(R"({"status":"ok"})"));
}
