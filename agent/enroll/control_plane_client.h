// The three calls of enrollment over an HttpClient, with errors in words.
#pragma once

#include <functional>
#include <memory>

#include "protocol/http/http_client.h"
#include "protocol/pki/enroll_messages.h"

namespace observeai::agent {

// http::make_https_client in the program; a fake in tests.
using HttpClientFactory =
    std::function<std::unique_ptr<http::HttpClient>(const http::Endpoint& endpoint)>;

// Errors of the connection pass through (kUnavailable, kTimeout, kDenied for a wrong server key); an
// HTTP error carries the control plane's own words and the Errc of its status. Blocking.
class ControlPlaneClient {
 public:
  explicit ControlPlaneClient(std::unique_ptr<http::HttpClient> http) : http_(std::move(http)) {}

  Result<std::int64_t> health_time_ms();
  Result<pki::EnrollResponse> enroll(const pki::EnrollRequest& request);
  Result<pki::ConfirmResponse> confirm(const pki::ConfirmRequest& request);
  Result<pki::RenewResponse> renew(const pki::RenewRequest& request);

 private:
  Result<std::string> call(const char* method, const char* path, std::string body);

  std::unique_ptr<http::HttpClient> http_;
};

}  // namespace observeai::agent
