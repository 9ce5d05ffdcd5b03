#include "protocol/mqtt/tls_diagnosis.h"

#include <MQTTAsync.h>

#include <mutex>

namespace observeai::mqtt {
namespace {

using Kind = TlsNote::Kind;

constexpr std::string_view kAlertWritten = "SSL alert write:fatal:";
constexpr std::string_view kAlertRead = "SSL alert read:fatal:";
constexpr std::string_view kNameFailed = "X509_check_host for hostname";
constexpr std::string_view kVerified = "SSL certificate verification: X509_V_OK";

thread_local TlsNote this_thread;

void on_trace(enum MQTTASYNC_TRACE_LEVELS, char* line) {
  if (line == nullptr) return;
  if (auto note = classify_trace(line)) this_thread = std::move(*note);
}

std::optional<std::string> rest_after(std::string_view line, std::string_view mark) {
  const auto at = line.find(mark);
  if (at == line.npos) return std::nullopt;
  auto rest = line.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

// The names are OpenSSL's alert descriptions (RFC 8446 section 6.2).
Error we_refused(const std::string& broker, const std::string& alert) {
  std::string why = "TLS alert \"" + alert + "\"";
  if (alert == "unknown CA") why = "broker certificate is not signed by the expected CA";
  if (alert == "unsupported certificate") why = "broker certificate is not meant for a server";
  if (alert == "certificate expired")
    why = "broker certificate has expired (or this clock is wrong)";
  if (alert == "protocol version") why = "broker offers no TLS version from 1.2 on";
  return Error(Errc::kDenied, broker + ": " + why);
}

Error broker_refused(const std::string& broker, const std::string& alert) {
  std::string why = "TLS alert \"" + alert + "\"";
  if (alert == "certificate revoked") why = "it is revoked";
  if (alert == "certificate expired") why = "it has expired";
  if (alert == "unknown CA") why = "its CA is not known there";
  if (alert == "unknown") why = "none was presented";  // certificate_required has no name in Paho
  return Error(Errc::kDenied, broker + ": broker refuses this client's certificate: " + why);
}

}  // namespace

std::optional<TlsNote> classify_trace(std::string_view line) {
  if (auto alert = rest_after(line, kAlertWritten)) return TlsNote{Kind::kWeRefused, *alert};
  if (auto alert = rest_after(line, kAlertRead)) return TlsNote{Kind::kBrokerRefused, *alert};
  if (line.find(kNameFailed) != line.npos) return TlsNote{Kind::kWrongHostName, {}};
  if (line.find(kVerified) != line.npos) return TlsNote{Kind::kHandshakeDone, {}};
  return std::nullopt;
}

void watch_tls() {
  static std::once_flag once;
  std::call_once(once, [] {
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_PROTOCOL);
    MQTTAsync_setTraceCallback(&on_trace);
  });
}

TlsNote take_tls_note() {
  return std::exchange(this_thread, TlsNote{});
}

Error explain_connect_failure(int return_code, const std::string& paho_text, const TlsNote& note,
                              const std::string& broker) {
  // MQTT 3.1.1 section 3.2.2.3
  if (return_code == 3) return Error(Errc::kUnavailable, broker + ": broker is not ready");
  if (return_code >= 1 && return_code <= 5) {
    return Error(Errc::kDenied, broker + ": broker refuses this client, CONNACK code " +
                                    std::to_string(return_code));
  }
  switch (note.kind) {
    case Kind::kWeRefused:
      return we_refused(broker, note.detail);
    case Kind::kBrokerRefused:
      return broker_refused(broker, note.detail);
    case Kind::kWrongHostName:
      return Error(Errc::kDenied, broker + ": broker certificate is for another name");
    case Kind::kHandshakeDone:
      return Error(
          Errc::kDenied,
          broker +
              ": broker hung up after the TLS handshake; most likely it does not accept this "
              "client's certificate (revoked, expired, or from another CA)");
    case Kind::kNone:
      break;
  }
  if (paho_text.find("timeout") != std::string::npos) {
    return Error(Errc::kTimeout, broker + ": broker did not answer in time");
  }
  return Error(Errc::kUnavailable, broker + ": broker cannot be reached" +
                                       (paho_text.empty() ? "" : " (" + paho_text + ")"));
}

}  // namespace observeai::mqtt
