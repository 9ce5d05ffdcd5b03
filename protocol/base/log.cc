#include "protocol/base/log.h"

#include <cstdlib>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "protocol/base/text.h"

namespace observeai::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void setup(std::string_view program, Level level) {
  auto logger = std::make_shared<spdlog::logger>(std::string(program),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  logger->set_pattern(journal ? "%l %v" : "%Y-%m-%dT%H:%M:%S.%e%z %n %l %v");
  logger->set_level(to_spdlog(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

Result<Level> parse_level(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "info") return Level::kInfo;
  if (name == "warning") return Level::kWarning;
  if (name == "error") return Level::kError;
  return Error(Errc::kInvalid, "log level must be debug, info, warning or error, got \"" +
                                   printable(name, 40) + "\"");
}

void debug(std::string_view message) {
  spdlog::debug("{}", message);
}
void info(std::string_view message) {
  spdlog::info("{}", message);
}
void warning(std::string_view message) {
  spdlog::warn("{}", message);
}
void error(std::string_view message) {
  spdlog::error("{}", message);
}
bool debug_enabled() {
  return spdlog::should_log(spdlog::level::debug);
}

std::string printable(std::string_view text, std::size_t limit) {
  return text::escape_unprintable(text, limit);
}

}  // namespace observeai::log
