// Requests to the Docker engine on its unix socket for one phase of one action: blocking, each with a
// deadline. What the answers mean: docker_answers.h.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/executor/action.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

// Errors: kNotFound 404 · kInvalid 400 · kUnavailable no engine, refused by it (with its words), hung up ·
// kTimeout no answer in time, or the run's time is over: whether it was done is unknown · kLimit an answer
// beyond kMaxAnswerBytes · kCorrupt an answer that is none.
// One thread. The run outlives it.
class DockerApi {
 public:
  static constexpr std::size_t kMaxAnswerBytes = 4U << 20;  // An inspection is about 10 KiB
  static constexpr std::chrono::milliseconds kPatience{10'000};

  DockerApi(std::string socket_path, const Run& run)
      : socket_path_(std::move(socket_path)), run_(run) {}

  // Paths begin with "/" and have no version: it is asked for once and put in front. The answer's body.
  Result<std::string> get(std::string_view path);
  // `body`: JSON, or empty. `patience` is for what takes its time (a stop); the run's deadline ends it too.
  Result<std::string> post(std::string_view path, std::string_view body = "",
                           std::chrono::milliseconds patience = kPatience);
  Result<std::string> remove(std::string_view path);

 private:
  enum class Method { kGet, kPost, kDelete };
  Result<std::string> request(Method method, std::string_view path, std::string_view body,
                              std::chrono::milliseconds patience);
  Result<std::string> exchange(Method method, const std::string& target, std::string_view body,
                               std::chrono::milliseconds patience) const;

  const std::string socket_path_;
  const Run& run_;
  std::string api_;  // "1.41" once it is known
};

}  // namespace observeai::agent::executor
