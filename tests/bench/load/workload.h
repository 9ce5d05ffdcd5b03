// What simulated agents report: made from the agent's number and a sequence number alone, so that the
// store can be judged later without a copy of everything that was sent.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/wire/signals.h"

namespace observeai::bench {

// Host facts, 10 containers, 30 process groups, 80 units and 20 ports.
wire::InventoryUpdate make_inventory(std::size_t agent, const std::string& hostname,
                                     std::int64_t now_ms);
// Series 1 .. `count` of the host and its containers: counters and gauges as node_exporter and cAdvisor
// name them.
std::vector<wire::SeriesDefinition> make_series(std::size_t agent, std::size_t count);
// One value for each series: every second one a counter that grows, every eighth a fraction, the rest
// integers of which most stand still.
wire::Scrape make_scrape(std::size_t agent, std::size_t series, std::int64_t ts_ms);

inline constexpr const char* kLogTarget = "unit/bench.service";
// "<agent> <number> <style>: ..." in one of five styles: web access, Java, JSON, database, kernel.
// Between 90 and 260 bytes; times, addresses and numbers differ in every line.
wire::LogRecord make_log_line(std::size_t agent, std::uint64_t number, std::int64_t ts_ns);
// The number in a line of make_log_line when it is unchanged, else 0.
std::uint64_t check_log_line(std::size_t agent, const std::string& text, std::int64_t ts_ns);

}  // namespace observeai::bench
