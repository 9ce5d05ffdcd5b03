#include "agent/discovery/systemd_units.h"

#include <systemd/sd-bus.h>

#include <cerrno>

#include "agent/discovery/clip.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kServiceUnit = "org.freedesktop.systemd1.Service";
constexpr const char* kPrivateSocket = "unix:path=/run/systemd/private";
constexpr std::size_t kMaxTextBytes = 256;

struct CloseBus {
  void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
};
struct FreeMessage {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Bus = std::unique_ptr<sd_bus, CloseBus>;
using Message = std::unique_ptr<sd_bus_message, FreeMessage>;

Error bus_error(const std::string& what, int code) {
  const bool late = code == -ETIMEDOUT || code == -ETIME;
  return Error(late ? Errc::kTimeout : Errc::kUnavailable,
               what + ": " + std::system_category().message(-code));
}

// A connection without a bus between: what systemd offers on its own socket.
Result<Bus> connect_to_peer(const std::string& address) {
  sd_bus* raw = nullptr;
  int code = sd_bus_new(&raw);
  Bus bus(raw);
  if (code >= 0) code = sd_bus_set_address(bus.get(), address.c_str());
  if (code >= 0) code = sd_bus_start(bus.get());
  if (code < 0) return bus_error("cannot connect to systemd at " + address, code);
  return bus;
}

Result<Bus> connect(const SystemdOptions& options) {
  if (!options.address.empty()) return connect_to_peer(options.address);
  sd_bus* raw = nullptr;
  const int code = sd_bus_open_system(&raw);
  if (code >= 0) return Bus(raw);
  auto peer = connect_to_peer(kPrivateSocket);
  if (peer) return peer;
  return bus_error("cannot connect to the system bus", code);
}

struct ListedUnit {
  wire::SystemdUnit unit;
  std::string path;
};

// ListUnits: a(ssssssouso) = name, description, load, active, sub, followed, path, job id, type,
// path
Result<std::vector<ListedUnit>> list_units(sd_bus* bus, std::uint32_t& over_limit) {
  sd_bus_error ignored = SD_BUS_ERROR_NULL;
  sd_bus_message* raw = nullptr;
  int code =
      sd_bus_call_method(bus, kService, kManagerPath, kManager, "ListUnits", &ignored, &raw, "");
  sd_bus_error_free(&ignored);
  const Message reply(raw);
  if (code >= 0) code = sd_bus_message_enter_container(reply.get(), 'a', "(ssssssouso)");
  if (code < 0) return bus_error("cannot list systemd's units", code);
  std::vector<ListedUnit> units;
  for (;;) {
    std::array<const char*, 9> field{};
    std::uint32_t job = 0;
    code =
        sd_bus_message_read(reply.get(), "(ssssssouso)", &field[0], &field[1], &field[2], &field[3],
                            &field[4], &field[5], &field[6], &job, &field[7], &field[8]);
    if (code < 0) return bus_error("systemd's list of units is malformed", code);
    if (code == 0) break;
    const std::string_view name(field[0]);
    constexpr std::string_view kSuffix = ".service";
    const bool is_service =
        name.size() > kSuffix.size() && name.substr(name.size() - kSuffix.size()) == kSuffix;
    // Listed only because another unit names it.
    if (!is_service || std::string_view(field[2]) == "not-found") continue;
    if (units.size() >= kMaxUnits) {
      ++over_limit;
      continue;
    }
    ListedUnit listed;
    listed.unit.name = clip_utf8(name, kMaxTextBytes);
    listed.unit.description = clip_utf8(field[1], kMaxTextBytes);
    listed.unit.active_state = clip_utf8(field[3], kMaxTextBytes);
    listed.unit.sub_state = clip_utf8(field[4], kMaxTextBytes);
    listed.path = field[6];
    units.push_back(std::move(listed));
  }
  std::sort(units.begin(), units.end(),
            [](const auto& a, const auto& b) { return a.unit.name < b.unit.name; });
  return units;
}

// 0 when the unit has gone meanwhile or does not say.
std::uint32_t service_number(sd_bus* bus, const std::string& path, const char* property) {
  std::uint32_t value = 0;
  const int code = sd_bus_get_property_trivial(bus, kService, path.c_str(), kServiceUnit, property,
                                               nullptr, 'u', &value);
  return code >= 0 ? value : 0;
}

// "252.39-1~deb12u2" -> "252"
std::string manager_version(sd_bus* bus) {
  char* raw = nullptr;
  const int code =
      sd_bus_get_property_string(bus, kService, kManagerPath, kManager, "Version", nullptr, &raw);
  const std::unique_ptr<char, decltype(&::free)> text(raw, &::free);
  if (code < 0) return "running";
  const std::string_view version(text.get());
  const std::size_t end = version.find_first_not_of("0123456789");
  return end == 0 ? clip_utf8(version, 32) : std::string(version.substr(0, end));
}

}  // namespace

Result<SystemdState> read_systemd(const Paths& paths, const SystemdOptions& options) {
  SystemdState state;
  // sd_booted(3) under our root.
  if (!files::exists(paths.root + "/run/systemd/system")) {
    state.version = "not running";
    return state;
  }
  TRY(const Bus bus, connect(options));
  sd_bus_set_method_call_timeout(bus.get(), options.call_timeout_us);
  TRY(auto units, list_units(bus.get(), state.over_limit));
  state.version = manager_version(bus.get());
  std::size_t details = 0;
  for (auto& [unit, path] : units) {
    const bool matters = unit.active_state != "inactive" && unit.sub_state != "exited";
    if (matters && details < kMaxUnitDetails) {
      ++details;
      unit.main_pid = service_number(bus.get(), path, "MainPID");
      unit.restarts = service_number(bus.get(), path, "NRestarts");
    }
    state.units.push_back(std::move(unit));
  }
  return state;
}

}  // namespace observeai::agent
