// What a hello tells of the executor <-> its generated message. Never included outside this module.
#pragma once

#include "observeai/v1/batch.pb.h"
#include "protocol/base/result.h"
#include "protocol/wire/messages.h"

namespace observeai::wire::detail {

// What breaks a rule of ExecutorReport is left out or cut: a hello is never withheld for it.
void to_proto(const ExecutorReport& report, v1::Hello::Executor& out);
// kCorrupt when a rule is broken.
Result<ExecutorReport> from_proto(const v1::Hello::Executor& in);

}  // namespace observeai::wire::detail
