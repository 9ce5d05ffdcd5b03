// A real mosquitto with mutual TLS for integration tests, configured as the control plane does it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>

#include "controlplane/broker/broker_config.h"
#include "controlplane/broker/generations.h"
#include "controlplane/broker/mosquitto_process.h"
#include "protocol/mqtt/broker_client.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pki.h"

namespace observeai::test {

inline std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// Works off, on the test's thread, what library threads post.
class PostedWork {
 public:
  mqtt::BrokerClient::Post post() {
    return [this](std::function<void()> f) {
      const std::lock_guard lock(mutex_);
      work_.push(std::move(f));
      ready_.notify_one();
    };
  }
  // True once `condition` holds; false after `patience`.
  template <class Condition>
  bool run_until(Condition condition,
                 std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      std::function<void()> next;
      {
        std::unique_lock lock(mutex_);
        if (!ready_.wait_until(lock, end, [this] { return !work_.empty(); })) return condition();
        next = std::move(work_.front());
        work_.pop();
      }
      next();
    }
    return true;
  }
  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::queue<std::function<void()>> work_;
};

// A broker whose output is read, so that it never waits for a reader. No supervisor.
class TestBroker {
 public:
  explicit TestBroker(const std::string& config_file)
      : process_(controlplane::MosquittoProcess::start({"/usr/sbin/mosquitto", config_file, false})
                     .value()) {
    const auto ready = process_->wait_until_ready(std::chrono::seconds(5));
    if (!ready) throw std::runtime_error(ready.error().message());
    reader_ = std::thread([this] {
      while (!stopping_) {
        process_->read_output();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  ~TestBroker() {
    stopping_ = true;
    reader_.join();
  }
  int pid() const { return process_->pid(); }

 private:
  std::unique_ptr<controlplane::MosquittoProcess> process_;
  std::atomic<bool> stopping_{false};
  std::thread reader_;
};

// The certificates of one installation: agent CA, service CA, the broker's own.
struct TestInstallation {
  TempDir directory;
  TestCa agents{directory.path(), "agents"};
  TestCa services{directory.path(), "services"};
  TestCa stranger{directory.path(), "stranger"};
  CertificateFiles broker = services.issue_server("DNS:localhost,IP:127.0.0.1");
  controlplane::BrokerSettings settings = [] {
    controlplane::BrokerSettings s;
    s.port = free_port();
    return s;
  }();

  controlplane::BrokerFiles files(const std::vector<AgentId>& revoked = {}) const {
    controlplane::BrokerFiles out;
    out.ca_pem = agents.certificate_pem() + services.certificate_pem();
    out.crl_pem = agents.crl_pem() + services.crl_pem();
    out.certificate_pem = observeai::files::read(broker.certificate).value();
    out.key_pem = observeai::files::read(broker.key).value();
    out.acl = controlplane::render_acl(settings, revoked).value();
    return out;
  }
  mqtt::Identity identity(const std::string& name, const CertificateFiles& certificate) const {
    mqtt::Identity identity;
    identity.host = "localhost";
    identity.port = settings.port;
    identity.client_id = name;
    identity.ca_file = services.certificate_file();
    identity.certificate_file = certificate.certificate;
    identity.key_file = certificate.key;
    return identity;
  }
  std::unique_ptr<TestBroker> start_broker() const {
    const controlplane::Generations generations(directory.path());
    const auto generation = generations.write(settings, files()).value();
    return std::make_unique<TestBroker>(controlplane::Generations::config_file(generation));
  }
};

}  // namespace observeai::test
