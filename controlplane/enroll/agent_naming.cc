#include "controlplane/enroll/agent_naming.h"

#include "protocol/base/check.h"
#include "protocol/pki/private_key.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane {

namespace {

constexpr std::size_t kMaxHostPart = 40;
constexpr std::size_t kRandomPart = 8;
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

std::string host_part(std::string_view hostname) {
  std::string out;
  for (const char c : hostname) {
    if (out.size() == kMaxHostPart) break;
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out.push_back(c);
    } else if (c >= 'A' && c <= 'Z') {
      out.push_back(static_cast<char>(c - 'A' + 'a'));
    } else if (!out.empty() && out.back() != '-') {
      out.push_back('-');
    }
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "host" : out;
}

}  // namespace

AgentId make_agent_id(std::string_view hostname) {
  std::string text = host_part(hostname) + "-";
  std::array<std::uint8_t, kRandomPart> random;
  pki::random_bytes(random);
  for (const auto byte : random) text.push_back(kBase32[byte % kBase32.size()]);
  if (std::string_view(text).starts_with(kReservedIdPrefix)) text.insert(0, "host-");
  auto id = AgentId::parse(text);
  CHECK(id.has_value());
  return *id;
}

std::uint32_t shard_of(const AgentId& id) {
  return signing::sha256(id.value())[0] % kShardCount;
}

}  // namespace observeai::controlplane
