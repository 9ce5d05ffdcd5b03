#include "tests/bench/load/workload.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace observeai::bench {
namespace {

constexpr std::size_t kSeriesOfTarget = 50;
constexpr std::size_t kContainers = 10;
constexpr std::size_t kProcesses = 30;
constexpr std::size_t kUnits = 80;
constexpr std::uint32_t kPorts = 20;

// splitmix64: the same numbers on every machine.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  unsigned below(unsigned bound) { return static_cast<unsigned>(next() % bound); }

 private:
  std::uint64_t state_;
};

std::string container_id(std::size_t agent, std::size_t container) {
  Numbers numbers(agent * 1'000 + container);
  std::array<char, 65> text{};
  for (std::size_t at = 0; at < 64; at += 16) {
    std::snprintf(text.data() + at, 17, "%016llx", static_cast<unsigned long long>(numbers.next()));
  }
  return text.data();
}

constexpr std::array<const char*, 12> kPaths = {
    "/",       "/api/v1/orders", "/api/v1/orders/items", "/cart",
    "/login",  "/static/app.js", "/static/site.css",     "/api/v1/users/me",
    "/search", "/healthz",       "/api/v1/payments",     "/images/logo.png"};
constexpr std::array<const char*, 6> kClasses = {
    "c.shop.orders.OrderService",        "c.shop.payment.PaymentGateway",
    "o.a.kafka.clients.NetworkClient",   "c.z.hikari.pool.HikariPool",
    "o.s.web.servlet.DispatcherServlet", "c.shop.stock.StockCache"};
constexpr std::array<const char*, 5> kAgents = {
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/118.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko)",
    "kube-probe/1.27", "curl/7.88.1", "Prometheus/2.42.0"};

std::string web_line(Numbers& n) {
  std::array<char, 320> text{};
  std::snprintf(text.data(), text.size(),
                "10.%u.%u.%u - - \"GET %s?id=%u HTTP/1.1\" %u %u \"-\" \"%s\" rt=0.%03u",
                n.below(4), n.below(256), n.below(256), kPaths[n.below(kPaths.size())],
                n.below(100'000), n.below(20) == 0 ? 404U : 200U, n.below(60'000),
                kAgents[n.below(kAgents.size())], n.below(900));
  return text.data();
}
std::string java_line(Numbers& n) {
  std::array<char, 320> text{};
  std::snprintf(text.data(), text.size(),
                "%s [http-nio-8080-exec-%u] %s - order %u of customer %u %s in %u ms (attempt %u, "
                "trace %08x%08x)",
                n.below(12) == 0 ? "WARN " : "INFO ", n.below(50),
                kClasses[n.below(kClasses.size())], n.below(1'000'000), n.below(50'000),
                n.below(9) == 0 ? "was retried" : "was accepted", n.below(2'000), n.below(3),
                n.below(~0U), n.below(~0U));
  return text.data();
}
std::string json_line(Numbers& n) {
  std::array<char, 320> text{};
  std::snprintf(text.data(), text.size(),
                "{\"level\":\"info\",\"logger\":\"http\",\"msg\":\"request "
                "finished\",\"method\":\"POST\",\"path\":\"%s\","
                "\"status\":%u,\"duration_ms\":%u.%02u,\"user\":%u,\"request_id\":\"%08x-%04x\"}",
                kPaths[n.below(kPaths.size())], n.below(30) == 0 ? 500U : 201U, n.below(500),
                n.below(100), n.below(50'000), n.below(~0U), n.below(65'536));
  return text.data();
}
std::string database_line(Numbers& n) {
  std::array<char, 320> text{};
  std::snprintf(text.data(), text.size(),
                "LOG:  duration: %u.%03u ms  execute S_%u: SELECT id, name, price FROM items WHERE "
                "shop_id = %u AND "
                "id > %u ORDER BY id LIMIT 100",
                n.below(300), n.below(1'000), n.below(40), n.below(500), n.below(1'000'000));
  return text.data();
}
std::string kernel_line(Numbers& n) {
  std::array<char, 320> text{};
  std::snprintf(text.data(), text.size(),
                "systemd[1]: session-%u.scope: Deactivated successfully after %u.%03us of CPU "
                "time; peak memory %u.%uM",
                n.below(10'000), n.below(90), n.below(1'000), n.below(300), n.below(10));
  return text.data();
}

}  // namespace

wire::InventoryUpdate make_inventory(std::size_t agent, const std::string& hostname,
                                     std::int64_t now_ms) {
  wire::InventoryUpdate update;
  update.ts_ms = now_ms;
  wire::HostFacts host;
  host.hostname = hostname;
  host.os = "Debian GNU/Linux 12 (bookworm)";
  host.kernel = "6.1.0-25-amd64";
  host.architecture = "x86_64";
  host.cpus = 8;
  host.memory_bytes = 32ULL << 30;
  host.boot_time_ms = now_ms - 86'400'000;
  host.boot_id = "bench";
  host.cgroup_mode = "v2";
  host.agent_version = OBSERVEAI_VERSION;
  host.docker = "20.10.24";
  host.systemd = "252";
  update.host = host;
  update.containers.full = update.processes.full = update.units.full = update.ports.full = true;
  for (std::size_t i = 0; i < kContainers; ++i) {
    wire::Container container;
    container.id = container_id(agent, i);
    container.name = "shop-" + std::to_string(i) + "-1";
    container.image = "registry.example/shop:" + std::to_string(i);
    container.runtime = "docker";
    container.state = "running";
    container.project = "shop";
    container.service = "service-" + std::to_string(i);
    container.command = "/usr/bin/service --port 8080";
    container.created_ms = container.started_ms = now_ms - 3'600'000;
    container.pid = static_cast<std::uint32_t>(2'000 + i);
    container.log_driver = "json-file";
    container.labels = {{"com.docker.compose.project", "shop"},
                        {"com.docker.compose.service", container.service}};
    update.containers.upserts.push_back(std::move(container));
  }
  for (std::size_t i = 0; i < kProcesses; ++i) {
    wire::ProcessGroup group;
    group.name = "worker-" + std::to_string(i);
    group.key = "unit:" + group.name + ".service/" + group.name;
    group.command = "/usr/sbin/" + group.name + " --config /etc/" + group.name + ".conf";
    group.user = "root";
    group.count = 1;
    group.pids = {static_cast<std::uint32_t>(500 + i)};
    group.started_ms = now_ms - 86'400'000;
    update.processes.upserts.push_back(std::move(group));
  }
  for (std::size_t i = 0; i < kUnits; ++i) {
    wire::SystemdUnit unit;
    unit.name = "unit-" + std::to_string(i) + ".service";
    unit.description = "What unit " + std::to_string(i) + " does for this host";
    unit.active_state = i % 3 == 0 ? "inactive" : "active";
    unit.sub_state = i % 3 == 0 ? "dead" : "running";
    unit.main_pid = static_cast<std::uint32_t>(i % 3 == 0 ? 0 : 900 + i);
    update.units.upserts.push_back(std::move(unit));
  }
  for (std::uint32_t i = 0; i < kPorts; ++i) {
    wire::ListeningPort port;
    port.protocol = "tcp";
    port.address = "0.0.0.0";
    port.port = 8'000 + i;
    port.key = "tcp/0.0.0.0/" + std::to_string(port.port);
    port.pid = 500 + i;
    port.process = "worker-" + std::to_string(i);
    update.ports.upserts.push_back(std::move(port));
  }
  return update;
}

std::vector<wire::SeriesDefinition> make_series(std::size_t agent, std::size_t count) {
  std::vector<wire::SeriesDefinition> series;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t target = i / kSeriesOfTarget;
    wire::SeriesDefinition one;
    one.id = static_cast<std::uint32_t>(i + 1);
    one.target = target == 0 ? wire::kHostTarget
                             : "container/" + container_id(agent, (target - 1) % kContainers);
    one.name = (target == 0 ? "node_bench_" : "container_bench_") + std::to_string(i) +
               (i % 2 == 0 ? "_total" : "_bytes");
    one.labels = {{"device", "disk" + std::to_string(i % 4)}};
    one.kind = i % 2 == 0 ? wire::MetricKind::kCounter : wire::MetricKind::kGauge;
    series.push_back(std::move(one));
  }
  return series;
}

wire::Scrape make_scrape(std::size_t agent, std::size_t series, std::int64_t ts_ms) {
  wire::Scrape scrape;
  scrape.ts_ms = ts_ms;
  scrape.series.reserve(series);
  scrape.values.reserve(series);
  const auto seconds = static_cast<double>(ts_ms % 10'000'000) / 1'000;
  for (std::size_t i = 0; i < series; ++i) {
    const auto seed = static_cast<double>((agent * 31 + i * 7) % 1'000);
    scrape.series.push_back(static_cast<std::uint32_t>(i + 1));
    if (i % 8 == 1) {
      scrape.values.push_back(std::round((seed + std::sin(seconds)) * 100) / 100);
    } else if (i % 2 == 0) {
      scrape.values.push_back(std::floor(seed * 1'000 + seconds * (seed / 4)));
    } else {
      scrape.values.push_back(seed * 4'096);
    }
  }
  return scrape;
}

wire::LogRecord make_log_line(std::size_t agent, std::uint64_t number, std::int64_t ts_ns) {
  Numbers numbers(agent * 0x1'0000'0000ULL + number);
  wire::LogRecord record;
  record.target = kLogTarget;
  record.ts_ns = ts_ns;
  record.text = std::to_string(agent) + " " + std::to_string(number) + " ";
  // Programs write in bursts of their own style.
  switch ((number / 16 + agent) % 5) {
    case 0:
      record.text += web_line(numbers);
      break;
    case 1:
      record.text += java_line(numbers);
      break;
    case 2:
      record.text += json_line(numbers);
      break;
    case 3:
      record.text += database_line(numbers);
      break;
    default:
      record.text += kernel_line(numbers);
  }
  return record;
}

std::uint64_t check_log_line(std::size_t agent, const std::string& text, std::int64_t ts_ns) {
  const auto blank = text.find(' ');
  if (blank == std::string::npos) return 0;
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data() + blank + 1, end, number).ec != std::errc()) return 0;
  return make_log_line(agent, number, ts_ns).text == text ? number : 0;
}

}  // namespace observeai::bench
