#include "agent/metrics/deadline_statfs.h"

#include <utility>

namespace observeai::agent {

StatfsCall deadline_statfs(std::shared_ptr<DeadlineCalls> calls, StatfsCall direct,
                           StatfsLimits limits) {
  return [calls = std::move(calls), direct = std::move(direct), limits](
             const std::string& path, const Mount& mount) -> Result<FilesystemUsage> {
    // A new mount in the place of a dead one is another mount.
    const std::string key = mount.device + '\n' + path;
    const std::size_t most_stuck = limits.stuck + (is_local(mount) ? limits.stuck_local : 0);
    std::function<Result<FilesystemUsage>()> work = [direct, path, mount] {
      return direct(path, mount);
    };
    return calls->call(key, path, most_stuck, std::move(work));
  };
}

}  // namespace observeai::agent
