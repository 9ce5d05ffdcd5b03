// Counts what protobuf bytes will take in memory before anything is built from them. Two bytes can
// claim a message of hundreds of bytes; a body of 8 MiB would so become gigabytes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::wire::detail {

// What a message (or a repeated string) costs, generated and plain form together, and which of its
// fields hold more of them. Fields not named cost no more than a few times their bytes.
struct Shape {
  struct Child {
    std::uint32_t field;
    const Shape* shape;
  };
  std::size_t cost = 0;
  std::span<const Child> children;
  bool scalars = false;  // A repeated number: `cost` for every byte of its payload
};

// Sum over the message and all below it. kCorrupt: not protobuf, or above `limit`.
Result<std::size_t> structure_bytes(std::string_view message, const Shape& shape,
                                    std::size_t limit);

extern const Shape kControlShape;
extern const Shape kHelloShape;
extern const Shape kLossShape;
extern const Shape kEnvelopeShape;
extern const Shape kRootShape;
extern const Shape kIntentShape;
extern const Shape kCommandShape;
extern const Shape kResultShape;
extern const Shape kMetaShape;
extern const Shape kFlatShape;  // Approval, TimeStatement, AuditHead: nothing repeats

}  // namespace observeai::wire::detail
