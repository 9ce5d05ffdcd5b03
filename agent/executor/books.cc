#include "agent/executor/books.h"

#include <sys/stat.h>

#include "agent/executor/results.h"
#include "protocol/base/log.h"

namespace observeai::agent::executor {
namespace {

// Changes whenever the file is written anew.
std::string mark_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "";
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" +
         std::to_string(status.st_ctim.tv_sec) + ":" + std::to_string(status.st_ctim.tv_nsec);
}

}  // namespace

Result<void> Books::open(bool may_change) {
  auto mark = mark_of(places_.trust_directory + "/trust.json");
  if (may_change && mark != trust_mark_) {
    ledger_.reset();
    session_.reset();
    trust_.reset();
    trust_mark_ = std::move(mark);
  }
  if (!trust_) {
    TRY(auto trust, Trust::open(places_.trust_directory, places_.owner));
    trust_ = std::move(trust);
  }
  if (!session_) {
    TRY(auto session, Session::open(places_.run_directory, trust_->enrollment(), time_));
    // A root of this folder that was walked before the session began counts for it too.
    TRY_VOID(session.note_root(trust_->root().version));
    session_ = std::move(session);
  }
  if (ledger_) return {};
  const auto opened = open_ledger();
  ledger_error_ = opened ? "" : opened.error().message();
  if (!opened) log::error("ledger: " + ledger_error_ + "; commands are refused");
  return {};
}

Result<void> Books::open_ledger() {
  TRY(auto ledger, Ledger::open(places_.ledger_path, trust_->enrollment()));
  const auto sign = [this](const Ledger::Unfinished& one) -> Result<std::string> {
    TRY(auto result, interrupted_result(one.draft, one.state == Ledger::State::kStarted));
    result.finished_ms = time_.wall_ms();
    return sign_result(std::move(result), trust_->result_key());
  };
  TRY(const auto interrupted, ledger.finish_interrupted(sign));
  if (interrupted > 0)
    log::warning("ledger: " + std::to_string(interrupted) +
                 " commands were interrupted and are not run again");
  ledger_ = std::move(ledger);
  return {};
}

}  // namespace observeai::agent::executor
