#include <doctest/doctest.h>

#include <cmath>

#include "controlplane/cli/format.h"
#include "controlplane/cli/terminal.h"

using namespace observeai::controlplane::cli;

namespace {
const Terminal kPlain{false, false, true, 60};
}

TEST_CASE("columns line up, numbers to the right, nothing after the last column") {
  Table table({"NAME", ">CPU", "STATE"});
  table.add({"web", "0.5", Cell("running", Tone::kGood)});
  table.add({"a-longer-name", "12.25", "exited"});
  CHECK(table.render(kPlain) ==
        "NAME             CPU  STATE\n"
        "web              0.5  running\n"
        "a-longer-name  12.25  exited\n");
}

TEST_CASE("the widest text column gives when the terminal is narrow") {
  Table table({"NAME", "IMAGE"});
  table.add({"web", std::string(200, 'x')});
  const auto text = table.render(Terminal{false, false, true, 40});
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    CHECK(display_width(text.substr(begin, end - begin)) <= 40);
    begin = end + 1;
  }
  CHECK(text.find("…") != std::string::npos);
  CHECK(table.render(Terminal{false, false, false, 40}).find("~\n") != std::string::npos);
}

TEST_CASE("columns that may go do so in their order; the first one is cut last") {
  Table table({"NAME", ">CPU", "IMAGE", "HOST"}, {"IMAGE", "HOST"});
  table.add({std::string(20, 'n'), "0.5", std::string(20, 'i'), "some-host-1"});
  const auto at = [&](std::size_t columns) {
    const auto text = table.render(Terminal{false, false, true, columns});
    CHECK(display_width(text.substr(0, text.find('\n'))) <= columns);
    return text;
  };
  const std::string name(20, 'n');
  CHECK(at(60).find(std::string(20, 'i')) != std::string::npos);
  CHECK(at(52).find("iiii…") != std::string::npos);
  CHECK(at(52).find("some-host-1") != std::string::npos);
  CHECK(at(40).find("IMAGE") == std::string::npos);
  CHECK(at(40).find("some-host-1") != std::string::npos);
  CHECK(at(35).find("some-ho…") != std::string::npos);
  CHECK(at(30) == "NAME                  CPU\n" + name + "  0.5\n");
  CHECK(at(21).find("nnn…  0.5") != std::string::npos);
}

TEST_CASE("colour only where there is a terminal for it, and it takes no columns") {
  CHECK(paint(kPlain, Tone::kBad, "x") == "x");
  CHECK(paint(Terminal{true, true, true, 80}, Tone::kBad, "x") == "\x1b[31mx\x1b[0m");
}

TEST_CASE("values are short and carry their unit") {
  CHECK(format_value(1536, "bytes") == "1.5 KiB");
  CHECK(format_value(0.25, "") == "0.25");
  CHECK(format_value(123456, "") == "123.5k");
  CHECK(format_value(2.5, "seconds") == "2.5s");
  CHECK(format_value(std::nan(""), "") == "-");
  CHECK(unit_of_metric("node_memory_MemFree_bytes") == "bytes");
  CHECK(unit_of_metric("node_cpu_seconds_total") == "seconds");
  CHECK(unit_of_metric("node_load1") == "");
}

TEST_CASE("a plot has its extremes on the axis, even for flat, single and missing points") {
  std::vector<PlotPoint> line;
  for (int i = 0; i < 100; ++i) line.push_back({i * 1000, static_cast<double>(i)});
  const auto text = plot(kPlain, line, 5, "");
  CHECK(text.find("99 ┤") != std::string::npos);
  CHECK(text.find(" 0 ┤") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);
  CHECK(plot(kPlain, {}, 5, "") == "no points in this range\n");
  CHECK(plot(kPlain, {{0, std::nan("")}}, 5, "") == "no points in this range\n");
  CHECK(plot(kPlain, {{5, 7.0}}, 3, "").find("┤") != std::string::npos);
  CHECK(plot(kPlain, {{0, 7.0}, {1000, std::nan("")}, {2000, 7.0}}, 3, "").find("┤") !=
        std::string::npos);
  CHECK(plot(Terminal{false, false, false, 60}, line, 5, "").find('*') != std::string::npos);
}

TEST_CASE("ages, ends, states") {
  CHECK(ago(1000, 63'000) == "1m 2s");
  CHECK(ago(0, 63'000) == "-");
  CHECK(until(0, 5) == "never");
  CHECK(until(5, 5) == "expired");
  CHECK(until(65'000, 5'000) == "in 1m");
  CHECK(state_cell("offline").tone == Tone::kBad);
  CHECK(state_cell("running").tone == Tone::kGood);
  CHECK(cores_or_dash(std::nullopt) == "-");
  CHECK(cores_or_dash(0.0123) == "0.012");
}
