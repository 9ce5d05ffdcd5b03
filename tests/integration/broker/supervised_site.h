// An installation whose broker is run by a supervisor on a thread of the test.
#pragma once

#include <thread>

#include "controlplane/broker/supervisor.h"
#include "tests/support/test_broker.h"

namespace observeai::test {

struct SupervisedSite {
  TestInstallation installation;
  std::unique_ptr<controlplane::BrokerSupervisor> supervisor;
  std::thread thread;

  ~SupervisedSite() { stop(); }

  controlplane::Generations generations() const {
    return controlplane::Generations(installation.directory.path());
  }
  void activate(const controlplane::BrokerFiles& files) {
    const auto generation = generations().write(installation.settings, files).value();
    if (!generations().activate(generation)) throw std::runtime_error("activate");
  }
  void start() {
    supervisor = controlplane::BrokerSupervisor::create(
                     {installation.directory.path(), "/usr/sbin/mosquitto", false})
                     .value();
    thread = std::thread([this] { supervisor->run(); });
  }
  void stop() {
    if (!supervisor) return;
    supervisor->stop();
    thread.join();
    supervisor.reset();
  }
  std::string ask(const std::string& request) const {
    return controlplane::ask_supervisor(installation.directory.path(), request,
                                        std::chrono::seconds(10))
        .value_or("no answer");
  }
  int broker_pid() const {
    const auto status = ask("status");
    return status.starts_with("up ") ? std::stoi(status.substr(3)) : -1;
  }
};

}  // namespace observeai::test
