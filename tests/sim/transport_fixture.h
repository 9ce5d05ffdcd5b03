// Real uplinks on spools in memory, a hostile broker, the real ingest pipeline and the real store.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "agent/uplink/uplink.h"
#include "controlplane/ingest/pipeline.h"
#include "controlplane/store/store.h"
#include "protocol/wire/batch_codec.h"
#include "tests/support/fake_broker.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/memory_spool.h"
#include "tests/support/temp_dir.h"

namespace observeai::transport_test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr const char* kTarget = "container/x";
inline constexpr const char* kSource = "log/container/x";

struct Site;

// One process of the agent on one spool: sends numbered records and its ledger.
class Copy final : public agent::UplinkEvents {
 public:
  Copy(Site& site, std::string name, test::MemorySpool spool);

  void write(std::size_t records);
  void write_ledger();
  // Gives the oldest batch up that is not acknowledged yet.
  void evict_oldest();
  void restart();
  // As a host that is resumed from a snapshot of its memory: `was` continues on this spool, with the
  // numbers that its hellos had at the start.
  void resume(const wire::Nonce16& was);
  bool is_drained() const;

  void on_need_series() override {}
  void on_need_inventory() override {}
  void on_state_changed(agent::UplinkState, const std::string&) override {}
  void on_server_time(std::int64_t) override {}
  void on_command(std::string) override {}
  void on_meta(const wire::Meta&) override {}
  void on_fault(const Error&) override {}
  void on_new_epoch() override;

  test::MemorySpool spool;
  std::unique_ptr<test::FakeBrokerClient> client;
  std::unique_ptr<agent::Uplink> uplink;
  std::map<std::uint64_t, std::vector<std::string>> pending_texts() const;

 private:
  void make_uplink();

  Site& site_;
  const std::string name_;
  std::uint64_t next_ = 1;
  std::uint64_t spooled_ = 0;  // In this epoch
};

struct Site {
  explicit Site(std::uint64_t seed);

  // The control plane as a new process.
  void restart_controlplane();
  Copy& add_copy(const std::string& name, test::MemorySpool spool);
  // A copy goes away for good with its disk.
  void remove_copy(Copy& copy);
  void step(milliseconds time = milliseconds(200));
  // Without faults, until all that is pending has arrived.
  void drain();
  std::vector<std::string> stored();
  model::LedgerRow ledger_row();

  topics::AgentAddress address{TenantId::parse("home").value(), 7,
                               AgentId::parse("agent-1").value()};
  signing::KeyAgreementPair agent_pair = signing::generate_key_agreement_pair();
  signing::KeyAgreementPair server_pair = signing::generate_key_agreement_pair();
  ManualClock clock;
  test::TempDir dir;
  std::mt19937_64 random;
  test::FakeBroker broker;
  test::MemoryAgentRegistry registry;
  test::MemoryAlertRepository alerts;
  std::unique_ptr<controlplane::Store> store;
  std::unique_ptr<controlplane::IngestPipeline> pipeline;
  std::unique_ptr<test::FakeBrokerClient> ingest;
  std::vector<mqtt::Message> arrived;
  // A broker that keeps messages back for seconds, in both directions, by share.
  double delay = 0;
  struct Held {
    int steps;
    mqtt::Message message;
  };
  std::vector<Held> held_up, held_acks;
  std::vector<std::unique_ptr<Copy>> copies;
  std::uint8_t epochs = 1;  // Given so far

  // The generator's side.
  std::set<std::string> written;  // Must be stored once, unless declared lost
  std::set<std::string> perhaps;  // Went away with a disk: stored at most once
  std::set<std::string> lost;

 private:
  void settle();
  bool holds(std::vector<Held>& held, const mqtt::Message& message);
  std::vector<mqtt::Message> released(std::vector<Held>& held);
};

// What is wrong between generator and store: "" = nothing.
std::string judge(const std::set<std::string>& written, const std::set<std::string>& perhaps,
                  const std::set<std::string>& lost, const std::vector<std::string>& stored);

}  // namespace observeai::transport_test
