// Container logs to measure with: deterministic, and no two lines alike.
#pragma once

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

namespace observeai::bench {

// kAccess: lines of an access log, 256 bytes each as a json-file entry. kMix: what a host with several
// services writes: JSON, logfmt, Java with stack traces, nginx, database and shell output, and a secret in
// one of 64 lines.
enum class Lines { kAccess, kMix };

// A mixer of SplitMix64: a number that looks random for each (n, salt).
inline std::uint64_t mixed(std::uint64_t n, std::uint64_t salt) {
  std::uint64_t z = (n + 1) * 0x9E3779B97F4A7C15U + salt * 0xD1B54A32D192ED03U;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
  z = (z ^ z >> 27) * 0x94D049BB133111EBU;
  return z ^ z >> 31;
}

// One line as Docker's json-file driver writes it, with its newline, at `time_ns`.
inline void append_json_file(std::string_view text, std::uint64_t n, std::int64_t time_ns,
                             std::string& out) {
  out += R"({"log":")";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    if (c == '\t') out += "\\t";
    if (c != '\t') out.push_back(c);
  }
  const std::time_t seconds = time_ns / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
  char rest[96];
  std::snprintf(rest, sizeof rest, R"(\n","stream":"%s","time":"%s.%09uZ"})",
                n % 16 == 0 ? "stderr" : "stdout", day,
                static_cast<unsigned>(time_ns % 1'000'000'000));
  out += rest;
  out += '\n';
}

inline std::string hex(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

inline std::string mixed_text(std::uint64_t n) {
  const auto r = [n](std::uint64_t salt, std::uint64_t below) {
    return std::to_string(mixed(n, salt) % below);
  };
  const std::string address = "10." + r(1, 4) + "." + r(2, 200) + "." + r(3, 250);
  if (mixed(n, 4) % 64 == 0) {
    return "level=debug msg=\"connecting\" url=postgres://shop:Zq" + hex(mixed(n, 5)) + "@db" +
           r(6, 9) + ":5432/shop attempt=" + r(7, 5);
  }
  switch (mixed(n, 8) % 8) {
    case 0:
    case 1:
      return R"({"level":"info","ts":"2026-11-21T07:45:00.)" + r(1, 1000) +
             R"(Z","logger":"http","msg":"request completed","method":"GET","path":"/api/v1/orders/)" +
             r(2, 1'000'000) + R"(","status":200,"duration_ms":)" + r(3, 900) + R"(,"trace_id":")" +
             hex(mixed(n, 10)) + hex(mixed(n, 11)) +
             R"x(","user_agent":"Mozilla/5.0 (X11; Linux x86_64)"})x";
    case 2:
      return "2026-11-21 07:45:00." + r(1, 1000) + "  INFO 1 --- [nio-8080-exec-" + r(2, 32) +
             "] c.example.checkout.PaymentService       : order " + r(3, 1'000'000) +
             " authorised for customer " + r(5, 90'000) + " in " + r(6, 300) + " ms";
    case 3:
      return "\tat com.example.checkout.PaymentService.charge(PaymentService.java:" + r(1, 400) +
             ") ~[checkout-1." + r(2, 9) + ".jar!/:na]";
    case 4:
      return address + R"( - - [21/Nov/2026:07:45:00 +0000] "POST /cart/)" + r(1, 100'000) +
             R"( HTTP/1.1" 201 )" + r(2, 20'000) +
             R"( "https://shop.example.com/" "curl/7.88.1" )" + "0." + r(3, 1000);
    case 5:
      return "ts=2026-11-21T07:45:00Z caller=wal.go:" + r(1, 900) +
             " level=warn component=tsdb shard=" + r(2, 64) +
             " msg=\"slow write\" took=" + r(3, 5000) + "us bytes=" + r(5, 1'000'000);
    case 6:
      return "[" + r(1, 90'000) + "] LOG:  checkpoint complete: wrote " + r(2, 16'000) +
             " buffers (1." + r(3, 9) + "%); 0 WAL file(s) added; write=" + r(5, 270) + "." +
             r(6, 999) + " s, sync=0.00" + r(7, 9) + " s, total=" + r(8, 270) + ".123 s";
    default:
      return "worker " + r(1, 16) + " took job " + hex(mixed(n, 12)) + " from " + address + ":" +
             r(2, 60'000);
  }
}

inline std::string access_text(std::uint64_t n) {
  constexpr std::size_t kTextBytes = 256 - 71;  // The rest is what the driver adds
  std::string text =
      "10.1." + std::to_string(n % 200) + "." + std::to_string(n % 250) +
      " - - [21/Nov/2026:07:45:00 +0000] GET /api/v1/orders/" +
      std::to_string(mixed(n, 1) % 1'000'000) +
      "?page=3 HTTP/1.1 200 5123 service=checkout latency_ms=" + std::to_string(mixed(n, 2) % 977) +
      " id=" + hex(mixed(n, 3));
  while (text.size() < kTextBytes) text.push_back(static_cast<char>('a' + text.size() % 26));
  return text;
}

inline std::string text_of(Lines kind, std::uint64_t n) {
  return kind == Lines::kMix ? mixed_text(n) : access_text(n);
}

// The n-th line, a millisecond and a bit after the one before.
inline void append_entry(Lines kind, std::uint64_t n, std::string& out) {
  constexpr std::int64_t kBegin = 1'795'247'100'000'000'000;
  append_json_file(text_of(kind, n), n,
                   kBegin + static_cast<std::int64_t>(n * 1'000'000 + mixed(n, 9) % 1'000'000),
                   out);
}

// The same with "<source> <n> " before it, written now.
inline void append_numbered_entry(Lines kind, const std::string& source, std::uint64_t n,
                                  std::string& out) {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  append_json_file(source + " " + std::to_string(n) + " " + text_of(kind, n), n,
                   std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec, out);
}

}  // namespace observeai::bench
