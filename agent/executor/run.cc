#include <algorithm>

#include "agent/executor/action.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent::executor {

std::chrono::milliseconds Run::left() const {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - clock_.steady_now());
  return std::max(left, std::chrono::milliseconds{0});
}

Result<void> Run::check() const {
  if (clock_.steady_now() < deadline_) return {};
  return Error(Errc::kTimeout, "the action's time is over");
}

void Run::step(std::string name, std::string detail) {
  finish_step();
  if (steps_.size() == wire::kMaxSteps) return;
  steps_.push_back({std::move(name), std::move(detail), 0});
  step_began_ = clock_.steady_now();
  in_step_ = true;
}

void Run::finish_step() {
  if (!in_step_) return;
  in_step_ = false;
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now() - step_began_);
  steps_.back().duration_ms = static_cast<std::uint32_t>(std::max<std::int64_t>(took.count(), 0));
}

void Run::output(std::string_view text) {
  const std::size_t room = output_limit_ - output_.size();
  if (text.size() > room) truncated_ = true;
  output_.append(text.substr(0, room));
}

Result<void> Action::undo(const wire::Parameters&, const Assessment&, Run&) {
  return Error(Errc::kInvalid, "there is no way back from this action");
}

Result<std::string> Action::recover(const std::string&, Run&) {
  return std::string();
}

}  // namespace observeai::agent::executor
