#include <doctest/doctest.h>

#include "protocol/mqtt/tls_diagnosis.h"

using namespace observeai;
using mqtt::TlsNote;
using Kind = mqtt::TlsNote::Kind;

TEST_CASE("trace lines of Paho 1.3.12 are understood, all others say nothing") {
  CHECK(mqtt::classify_trace("20261121 083204.605 SSL alert write:fatal:unknown CA") ==
        TlsNote{Kind::kWeRefused, "unknown CA"});
  CHECK(mqtt::classify_trace("20261121 083207.218 SSL alert read:fatal:certificate revoked\n") ==
        TlsNote{Kind::kBrokerRefused, "certificate revoked"});
  CHECK(mqtt::classify_trace(
            "20261121 083345.047 X509_check_host for hostname localhost failed, rc 0") ==
        TlsNote{Kind::kWrongHostName, ""});
  CHECK(mqtt::classify_trace("20261121 083339.824 SSL certificate verification: X509_V_OK") ==
        TlsNote{Kind::kHandshakeDone, ""});
  CHECK(!mqtt::classify_trace("20261121 083339.920 SSL alert write:warning:close notify"));
  CHECK(!mqtt::classify_trace("20261121 083339.824 peername from X509_check_host is localhost"));
  CHECK(!mqtt::classify_trace(""));
}

TEST_CASE("each failure gets a code to act on and words to understand") {
  struct Case {
    int rc;
    const char* text;
    TlsNote note;
    Errc code;
    const char* words;
  };
  const Case cases[] = {
      {-1,
       "",
       {Kind::kWeRefused, "unknown CA"},
       Errc::kDenied,
       "broker certificate is not signed by the expected CA"},
      {-1,
       "",
       {Kind::kWeRefused, "unsupported certificate"},
       Errc::kDenied,
       "not meant for a server"},
      {-1, "", {Kind::kWeRefused, "certificate expired"}, Errc::kDenied, "has expired"},
      {-1, "", {Kind::kWeRefused, "something new"}, Errc::kDenied, "something new"},
      {-1, "", {Kind::kWrongHostName, ""}, Errc::kDenied, "broker certificate is for another name"},
      {-1, "", {Kind::kBrokerRefused, "certificate revoked"}, Errc::kDenied, "it is revoked"},
      {-1,
       "",
       {Kind::kHandshakeDone, ""},
       Errc::kDenied,
       "does not accept this client's certificate"},
      {-1, "TCP connect timeout", {}, Errc::kTimeout, "did not answer"},
      {-1, "TCP/TLS connect failure", {}, Errc::kUnavailable, "cannot be reached"},
      {3, "", {}, Errc::kUnavailable, "not ready"},
      {5, "", {Kind::kHandshakeDone, ""}, Errc::kDenied, "CONNACK code 5"},
  };
  for (const auto& c : cases) {
    const auto error = mqtt::explain_connect_failure(c.rc, c.text, c.note, "host:8883");
    CAPTURE(error.message());
    CHECK(error.code() == c.code);
    CHECK(error.message().find(c.words) != std::string::npos);
    CHECK(error.message().starts_with("host:8883: "));
  }
}

TEST_CASE("a note is taken once") {
  mqtt::take_tls_note();
  CHECK(mqtt::take_tls_note() == TlsNote{});
}
