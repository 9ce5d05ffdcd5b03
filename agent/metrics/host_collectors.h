// The constructors of the collectors of the target "host"; names, labels and units are those of
// node_exporter 1.5. Each takes the roots it reads below.
#pragma once

#include <memory>

#include "agent/metrics/collector.h"

namespace observeai::agent {

using CollectorPtr = std::unique_ptr<Collector>;

CollectorPtr make_cpu_collector(const MetricRoots& roots);  // node_cpu_*, node_intr_total, ...
CollectorPtr make_schedstat_collector(const MetricRoots& roots);  // node_schedstat_*
CollectorPtr make_meminfo_collector(const MetricRoots& roots);    // node_memory_*
CollectorPtr make_vmstat_collector(const MetricRoots& roots);     // node_vmstat_*
CollectorPtr make_pressure_collector(const MetricRoots& roots);   // node_pressure_*
CollectorPtr make_disk_collector(const MetricRoots& roots);       // node_disk_*
CollectorPtr make_filesystem_collector(const MetricRoots& roots,
                                       HostCalls calls);          // node_filesystem_*
CollectorPtr make_network_collector(const MetricRoots& roots);    // node_network_*
CollectorPtr make_netstat_collector(const MetricRoots& roots);    // node_netstat_*
CollectorPtr make_sockstat_collector(const MetricRoots& roots);   // node_sockstat_*
CollectorPtr make_softnet_collector(const MetricRoots& roots);    // node_softnet_*
CollectorPtr make_conntrack_collector(const MetricRoots& roots);  // node_nf_conntrack_*
CollectorPtr make_neighbour_collector(const MetricRoots& roots);  // node_arp_*, node_udp_queues
CollectorPtr make_kernel_collector(const MetricRoots& roots);     // load, entropy, filefd, selinux
CollectorPtr make_time_collector(const MetricRoots& roots, HostCalls calls);  // node_time_*, timex
CollectorPtr make_release_collector(const MetricRoots& roots, HostCalls calls);  // os_*, uname_info
CollectorPtr make_container_collector(const MetricRoots& roots);                 // container_*
CollectorPtr make_certificate_collector(HostCalls calls);                        // x509_cert_*
CollectorPtr make_process_collector();                       // namedprocess_namegroup_*
CollectorPtr make_log_lines_collector();                     // observeai_log_lines_total
CollectorPtr make_self_collector(const MetricRoots& roots);  // observeai_agent_*

}  // namespace observeai::agent
