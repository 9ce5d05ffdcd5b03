// What actions may use of the host: where things are, and what the host's owner allows them to touch. Tests
// root it elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/base/clock.h"

namespace observeai::agent::executor {

// From the policy (policy.h). Empty lists allow nothing.
struct SiteLists {
  struct RunbookParameter {
    std::string name;  // [a-z0-9_]{1,64}
    bool integer = false;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::vector<std::string> choices;  // Of a text: exactly one of these
    bool required = true;
  };
  struct Runbook {
    std::string path;    // Absolute
    std::string sha256;  // 64 lower-case hex digits
    std::vector<RunbookParameter> parameters;
    std::string summary;
    bool changes_nothing = false;
  };
  struct Redis {
    std::string address;  // "127.0.0.1:6379" or "unix:/run/redis/redis.sock"
    std::vector<std::string> prefixes;
    std::string password_file;  // Or empty
  };
  std::vector<std::string> vacuum_directories;  // Absolute; a command names one of them exactly
  std::map<std::string, Redis> caches;          // By the name that a command uses
  std::map<std::string, Runbook> runbooks;      // By the name that a command uses
};

struct Host {
  std::string docker_socket = "/var/run/docker.sock";
  std::string proc_root = "/proc";
  std::string cgroup_root = "/sys/fs/cgroup";
  std::string journal_directory = "/var/log/journal";
  std::string systemctl = "/usr/bin/systemctl";
  std::string journalctl = "/usr/bin/journalctl";
  std::uint32_t site_owner = 0;  // User who must own what the lists name; tests have another
  SiteLists lists;
  const Clock* clock = nullptr;
};

}  // namespace observeai::agent::executor
