#include "protocol/wire/detail/convert.h"

namespace observeai::wire::detail {
namespace {

template <class Message>
using Repeated = google::protobuf::RepeatedPtrField<Message>;

HostFacts from_proto(const v1::HostFacts& in) {
  return {.hostname = in.hostname(),
          .machine_id_sha256 = in.machine_id_sha256(),
          .os = in.os(),
          .kernel = in.kernel(),
          .architecture = in.architecture(),
          .cpus = in.cpus(),
          .memory_bytes = in.memory_bytes(),
          .boot_time_ms = in.boot_time_ms(),
          .boot_id = in.boot_id(),
          .cgroup_mode = in.cgroup_mode(),
          .agent_version = in.agent_version(),
          .docker = in.docker(),
          .systemd = in.systemd()};
}

std::vector<PortMapping> from_proto(const Repeated<v1::PortMapping>& ports) {
  std::vector<PortMapping> out;
  out.reserve(static_cast<std::size_t>(ports.size()));
  for (const auto& port : ports) {
    out.push_back({port.protocol(), port.container_port(), port.host_port(), port.host_address()});
  }
  return out;
}

Result<Container> from_proto(const v1::Container& in) {
  TRY(Labels labels, labels_from_proto(in.labels()));
  return Container{.id = in.id(),
                   .name = in.name(),
                   .image = in.image(),
                   .image_id = in.image_id(),
                   .runtime = in.runtime(),
                   .state = in.state(),
                   .health = in.health(),
                   .project = in.project(),
                   .service = in.service(),
                   .command = in.command(),
                   .created_ms = in.created_ms(),
                   .started_ms = in.started_ms(),
                   .finished_ms = in.finished_ms(),
                   .exit_code = in.exit_code(),
                   .oom_killed = in.oom_killed(),
                   .restart_count = in.restart_count(),
                   .pid = in.pid(),
                   .memory_limit_bytes = in.memory_limit_bytes(),
                   .cpu_limit_cores = in.cpu_limit_cores(),
                   .pids_limit = in.pids_limit(),
                   .log_driver = in.log_driver(),
                   .ports = from_proto(in.ports()),
                   .labels = std::move(labels)};
}

Result<ProcessGroup> from_proto(const v1::ProcessGroup& in) {
  return ProcessGroup{.key = in.key(),
                      .name = in.name(),
                      .command = in.command(),
                      .user = in.user(),
                      .container_id = in.container_id(),
                      .unit = in.unit(),
                      .count = in.count(),
                      .pids = {in.pids().begin(), in.pids().end()},
                      .started_ms = in.started_ms()};
}

Result<SystemdUnit> from_proto(const v1::SystemdUnit& in) {
  return SystemdUnit{.name = in.name(),
                     .description = in.description(),
                     .active_state = in.active_state(),
                     .sub_state = in.sub_state(),
                     .main_pid = in.main_pid(),
                     .restarts = in.restarts()};
}

Result<ListeningPort> from_proto(const v1::ListeningPort& in) {
  return ListeningPort{.key = in.key(),
                       .protocol = in.protocol(),
                       .address = in.address(),
                       .port = in.port(),
                       .pid = in.pid(),
                       .process = in.process(),
                       .container_id = in.container_id()};
}

Result<void> check(const Container& container) {
  return check_labels(container.labels);
}
template <class T>
Result<void> check(const T&) {
  return {};
}

// An untouched section is left out: most updates change one.
template <class T, class Section>
Result<void> section_to_proto(const SectionUpdate<T>& section,
                              Section* (v1::InventoryUpdate::*mutable_section)(),
                              v1::InventoryUpdate& update) {
  if (section.empty()) return {};
  Section& out = *(update.*mutable_section)();
  out.set_full(section.full);
  for (const auto& entry : section.upserts) {
    TRY_VOID(check(entry));
    to_proto(entry, *out.add_upserts());
  }
  for (const auto& key : section.removed) out.add_removed(key);
  return {};
}

template <class T, class Section>
Result<SectionUpdate<T>> section_from_proto(const Section& section) {
  SectionUpdate<T> out;
  out.full = section.full();
  out.upserts.reserve(static_cast<std::size_t>(section.upserts_size()));
  for (const auto& entry : section.upserts()) {
    TRY(T value, from_proto(entry));
    out.upserts.push_back(std::move(value));
  }
  out.removed.assign(section.removed().begin(), section.removed().end());
  return out;
}

}  // namespace

void to_proto(const HostFacts& host, v1::HostFacts& out) {
  out.set_hostname(host.hostname);
  out.set_machine_id_sha256(host.machine_id_sha256);
  out.set_os(host.os);
  out.set_kernel(host.kernel);
  out.set_architecture(host.architecture);
  out.set_cpus(host.cpus);
  out.set_memory_bytes(host.memory_bytes);
  out.set_boot_time_ms(host.boot_time_ms);
  out.set_boot_id(host.boot_id);
  out.set_cgroup_mode(host.cgroup_mode);
  out.set_agent_version(host.agent_version);
  out.set_docker(host.docker);
  out.set_systemd(host.systemd);
}

void to_proto(const Container& container, v1::Container& out) {
  out.set_id(container.id);
  out.set_name(container.name);
  out.set_image(container.image);
  out.set_image_id(container.image_id);
  out.set_runtime(container.runtime);
  out.set_state(container.state);
  out.set_health(container.health);
  out.set_project(container.project);
  out.set_service(container.service);
  out.set_command(container.command);
  out.set_created_ms(container.created_ms);
  out.set_started_ms(container.started_ms);
  out.set_finished_ms(container.finished_ms);
  out.set_exit_code(container.exit_code);
  out.set_oom_killed(container.oom_killed);
  out.set_restart_count(container.restart_count);
  out.set_pid(container.pid);
  out.set_memory_limit_bytes(container.memory_limit_bytes);
  out.set_cpu_limit_cores(container.cpu_limit_cores);
  out.set_pids_limit(container.pids_limit);
  out.set_log_driver(container.log_driver);
  for (const auto& port : container.ports) {
    auto& mapping = *out.add_ports();
    mapping.set_protocol(port.protocol);
    mapping.set_container_port(port.container_port);
    mapping.set_host_port(port.host_port);
    mapping.set_host_address(port.host_address);
  }
  for (const auto& label : container.labels) {
    auto& added = *out.add_labels();
    added.set_name(label.name);
    added.set_value(label.value);
  }
}

void to_proto(const ProcessGroup& group, v1::ProcessGroup& out) {
  out.set_key(group.key);
  out.set_name(group.name);
  out.set_command(group.command);
  out.set_user(group.user);
  out.set_container_id(group.container_id);
  out.set_unit(group.unit);
  out.set_count(group.count);
  for (const auto pid : group.pids) out.add_pids(pid);
  out.set_started_ms(group.started_ms);
}

void to_proto(const SystemdUnit& unit, v1::SystemdUnit& out) {
  out.set_name(unit.name);
  out.set_description(unit.description);
  out.set_active_state(unit.active_state);
  out.set_sub_state(unit.sub_state);
  out.set_main_pid(unit.main_pid);
  out.set_restarts(unit.restarts);
}

void to_proto(const ListeningPort& port, v1::ListeningPort& out) {
  out.set_key(port.key);
  out.set_protocol(port.protocol);
  out.set_address(port.address);
  out.set_port(port.port);
  out.set_pid(port.pid);
  out.set_process(port.process);
  out.set_container_id(port.container_id);
}

Result<void> to_proto(const InventoryUpdate& update, v1::InventoryUpdate& out) {
  using Out = v1::InventoryUpdate;
  out.set_ts_ms(update.ts_ms);
  if (update.host) to_proto(*update.host, *out.mutable_host());
  TRY_VOID(section_to_proto(update.containers, &Out::mutable_containers, out));
  TRY_VOID(section_to_proto(update.processes, &Out::mutable_processes, out));
  TRY_VOID(section_to_proto(update.units, &Out::mutable_units, out));
  return section_to_proto(update.ports, &Out::mutable_ports, out);
}

Result<InventoryUpdate> from_proto(const v1::InventoryUpdate& update) {
  InventoryUpdate out;
  out.ts_ms = update.ts_ms();
  if (update.has_host()) out.host = from_proto(update.host());
  TRY(out.containers, section_from_proto<Container>(update.containers()));
  TRY(out.processes, section_from_proto<ProcessGroup>(update.processes()));
  TRY(out.units, section_from_proto<SystemdUnit>(update.units()));
  TRY(out.ports, section_from_proto<ListeningPort>(update.ports()));
  return out;
}

}  // namespace observeai::wire::detail
