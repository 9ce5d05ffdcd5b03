#include "agent/executor/books.h"

#include <sys/stat.h>

#include <map>

#include "agent/executor/results.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

// Changes whenever the file is written anew.
std::string mark_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "";
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) + ":" +
         std::to_string(status.st_ctim.tv_sec) + ":" + std::to_string(status.st_ctim.tv_nsec);
}

// For the end of a result's message.
std::string recovery_text(const Result<std::string>& recovered) {
  if (!recovered)
    return "; what it left is not put right yet (" + recovered.error().message() +
           "): this is tried again before the next such command and when the executor starts";
  return recovered->empty() ? "" : "; " + *recovered;
}

}  // namespace

Result<void> Books::open(bool may_change, const Recover& recover) {
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
  if (between_) between_();
  const auto opened = open_ledger(recover);
  ledger_error_ = opened ? "" : opened.error().message();
  if (!opened) log::error("ledger: " + ledger_error_ + "; commands are refused");
  return {};
}

Result<void> Books::open_ledger(const Recover& recover) {
  TRY(auto ledger, Ledger::open(places_.ledger_path, trust_->enrollment()));
  TRY(const auto left, ledger.recoveries());
  std::map<wire::Bytes16, Result<std::string>> told;
  for (const auto& one : left) {
    told.emplace(one.command, recover ? recover(one) : Error(Errc::kUnavailable, "not tried yet"));
  }
  const auto sign = [&](const Ledger::Unfinished& one) -> Result<std::string> {
    TRY(auto result, interrupted_result(one.draft, one.state == Ledger::State::kStarted));
    if (const auto found = told.find(one.id); found != told.end()) {
      result.message += recovery_text(found->second);
    }
    result.finished_ms = time_.wall_ms();
    return sign_result(std::move(result), trust_->result_key());
  };
  TRY(const auto interrupted, ledger.finish_interrupted(sign));
  if (interrupted > 0)
    log::warning("ledger: " + std::to_string(interrupted) +
                 " commands were interrupted and are not run again");
  ledger_ = std::move(ledger);
  for (const auto& one : left) {
    if (const auto& what = told.at(one.command)) recovered(one, *what);
  }
  return {};
}

std::vector<Ledger::Recovery> Books::left(std::string_view family) {
  if (!ledger_) return {};
  auto all = ledger_->recoveries();
  if (!all) {
    log::error("ledger: " + all.error().message());
    return {};
  }
  std::erase_if(*all, [&](const auto& one) {
    return !family.empty() && text::split(one.action, '.').front() != family;
  });
  return std::move(*all);
}

void Books::recovered(const Ledger::Recovery& one, const std::string& what) {
  if (!what.empty()) log::warning(one.action + " of " + one.target + " did not end: " + what);
  if (!ledger_) return;
  if (const auto gone = ledger_->recovered(one.command); !gone)
    log::error("ledger: " + gone.error().message());
}

}  // namespace observeai::agent::executor
