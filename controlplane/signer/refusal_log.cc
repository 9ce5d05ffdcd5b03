#include "controlplane/signer/refusal_log.h"

#include <utility>

#include "protocol/base/log.h"

namespace observeai::controlplane::signer {

bool RefusalLog::write(SteadyTime now, std::string line) {
  if (lines_.count(now) >= kMaxRefusalLines) {
    ++left_out_;
    return false;
  }
  lines_.add(now, 1);
  if (left_out_ > 0)
    line += " (" + std::to_string(std::exchange(left_out_, 0)) + " lines left out before)";
  log::warning(line);
  return true;
}

}  // namespace observeai::controlplane::signer
