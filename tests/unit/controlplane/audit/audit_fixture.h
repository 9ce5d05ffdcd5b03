// Chained entries to spoil.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "controlplane/audit/chain.h"

namespace observeai::controlplane::audit_test {

inline void chain_again(std::vector<model::AuditEntry>& log) {
  wire::Digest before{};
  std::uint64_t seq = 0;
  for (auto& entry : log) {
    entry.seq = ++seq;
    before = entry.hash = audit::chain_hash(entry.seq, before, entry);
  }
}

inline std::vector<model::AuditEntry> chained(int count) {
  std::vector<model::AuditEntry> log;
  for (int i = 1; i <= count; ++i) {
    log.push_back({0,
                   1'700'000'000'000 + i,
                   "user:admin",
                   "token.create",
                   "t" + std::to_string(i),
                   R"({"uses":1})",
                   {}});
  }
  chain_again(log);
  return log;
}

// What is wrong with the log, "" when nothing is.
inline std::string verdict(const std::vector<model::AuditEntry>& log) {
  audit::ChainVerifier verifier;
  for (const auto& entry : log) {
    if (const auto added = verifier.add(entry); !added) return added.error().message();
  }
  return "";
}

}  // namespace observeai::controlplane::audit_test
