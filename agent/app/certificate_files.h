// The certificates of this host that are not the agent's: what is in files, for HostCalls::certificates.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/metrics/collector.h"
#include "agent/runtime/deadline_calls.h"

namespace observeai::agent {

// Beyond these files are left out: a host with more certificates has a program that renews them.
inline constexpr std::size_t kMaxCertificateFiles = 100;
inline constexpr std::size_t kMaxCertificateBytes = 64U << 10;

// Of regular files that match one of the patterns, in the order of their paths, each certificate of a
// file with at most 32. What is no certificate is passed over; nothing but names and dates is kept. Blocks.
std::vector<CertificateDates> read_certificates(const std::vector<std::string>& patterns);

// The same with the deadline of `calls`: kTimeout when a folder or a file is on a dead mount, kUnavailable
// as long as that call hangs.
std::function<Result<std::vector<CertificateDates>>()> certificate_call(
    std::shared_ptr<DeadlineCalls> calls, std::vector<std::string> patterns);

}  // namespace observeai::agent
