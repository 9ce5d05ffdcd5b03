#include "agent/enroll/control_plane_client.h"

namespace observeai::agent {

namespace {

Errc errc_of(int status) {
  switch (status) {
    case 400:
      return Errc::kInvalid;
    case 401:
    case 403:
      return Errc::kDenied;
    case 404:
      return Errc::kNotFound;
    case 429:
      return Errc::kLimit;
    default:
      return Errc::kUnavailable;
  }
}

}  // namespace

Result<std::string> ControlPlaneClient::call(const char* method, const char* path,
                                             std::string body) {
  http::Request request;
  request.method = method;
  request.path = path;
  request.body = std::move(body);
  TRY(auto response, http_->send(request));
  if (response.status >= 200 && response.status < 300) return std::move(response.body);
  const auto said = pki::decode_error_message(response.body);
  return Error(
      errc_of(response.status),
      said.empty() ? "the control plane answered " + std::to_string(response.status) : said);
}

Result<std::int64_t> ControlPlaneClient::health_time_ms() {
  TRY(const auto body, call("GET", "/v1/health", {}));
  auto time = pki::decode_health_time(body);
  if (!time) return std::move(time).error().with_context("not an ObserveAI control plane?");
  return time;
}

Result<pki::EnrollResponse> ControlPlaneClient::enroll(const pki::EnrollRequest& request) {
  TRY(const auto body, call("POST", "/v1/enroll", pki::encode(request)));
  return pki::decode_enroll_response(body);
}

Result<pki::ConfirmResponse> ControlPlaneClient::confirm(const pki::ConfirmRequest& request) {
  TRY(const auto body, call("POST", "/v1/enroll/confirm", pki::encode(request)));
  return pki::decode_confirm_response(body);
}

Result<pki::RenewResponse> ControlPlaneClient::renew(const pki::RenewRequest& request) {
  TRY(const auto body, call("POST", "/v1/renew", pki::encode(request)));
  return pki::decode_renew_response(body);
}

}  // namespace observeai::agent
