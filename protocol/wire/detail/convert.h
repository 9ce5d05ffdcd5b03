// Plain values <-> generated messages, shared by the codecs of this module. Never included outside
// it.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <google/protobuf/repeated_field.h>

#include "observeai/v1/control.pb.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::wire::detail {

// kInvalid unless names ascend strictly.
Result<void> check_labels(const Labels& labels);
Result<void> labels_to_proto(const Labels& labels,
                             google::protobuf::RepeatedPtrField<v1::Label>& out);
// kCorrupt unless names ascend strictly.
Result<Labels> labels_from_proto(const google::protobuf::RepeatedPtrField<v1::Label>& labels);

Result<void> to_proto(const InventoryUpdate& update, v1::InventoryUpdate& out);
Result<InventoryUpdate> from_proto(const v1::InventoryUpdate& update);

// Of one entry each, without any check: for inventory_digest.
void to_proto(const HostFacts& host, v1::HostFacts& out);
void to_proto(const Container& container, v1::Container& out);
void to_proto(const ProcessGroup& group, v1::ProcessGroup& out);
void to_proto(const SystemdUnit& unit, v1::SystemdUnit& out);
void to_proto(const ListeningPort& port, v1::ListeningPort& out);

}  // namespace observeai::wire::detail
