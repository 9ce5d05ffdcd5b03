// Whom the broker runs as. It faces the network and is trusted with moving bytes only: started by root,
// it is a user of its own, who can read its generation's files and nothing else of the state folder.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "protocol/base/result.h"

namespace observeai::controlplane {

struct BrokerUser {
  uid_t uid = 0;
  gid_t gid = 0;
};

// nullopt: the caller is not root, the broker runs as the caller. kNotFound: no such user; kInvalid: it
// is root.
Result<std::optional<BrokerUser>> find_broker_user(const std::string& name);
// The name that render_config() wrote; empty = none.
std::string user_in_config(const std::string& config);
// Lets the broker read `path`, a file or folder, and nobody else. Changes nothing without a user.
Result<void> let_broker_read(const std::string& path, const std::optional<BrokerUser>& user);

}  // namespace observeai::controlplane
