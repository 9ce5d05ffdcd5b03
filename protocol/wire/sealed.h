// Sealed messages: header in clear, body encrypted and authenticated with the header as associated
// data (XChaCha20-Poly1305, protocol/signing/sealing.h). What a broker can do is drop, delay, repeat.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/messages.h"

namespace observeai::wire {

// up/l0..l3
std::string seal_batch(const Batch& batch, const signing::SealingKey& key);
// Reads the header without trusting it: to find the agent whose key opens the rest.
Result<BatchHeader> peek_batch_header(std::string_view sealed);
Result<Batch> open_batch(std::string_view sealed,
                         const signing::SealingKey& key);  // kDenied: forged

// up/hello and down/ack; `agent` is bound as associated data.
std::string seal_hello(const Hello& hello, const signing::SealingKey& key);
Result<Hello> open_hello(std::string_view sealed, const AgentId& agent,
                         const signing::SealingKey& key);
std::string seal_ack(const Ack& ack, const signing::SealingKey& key);
Result<Ack> open_ack(std::string_view sealed, const AgentId& agent, const signing::SealingKey& key);

}  // namespace observeai::wire
