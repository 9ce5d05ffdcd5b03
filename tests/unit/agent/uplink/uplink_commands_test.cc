#include <doctest/doctest.h>

#include "protocol/wire/command_codec.h"
#include "tests/unit/agent/uplink/uplink_fixture.h"

using namespace observeai;
using namespace observeai::test;

namespace {

mqtt::Message command_to(World& world, const std::string& envelope) {
  return {topics::build(world.identity.address, topics::Channel::kCommand),
          wire::seal_command(envelope, world.identity.address.agent, world.identity.keys.down)};
}

}  // namespace

TEST_CASE("a command is handed on as it was sealed, each time that it comes") {
  World world;
  world.go_live();
  const auto message = command_to(world, "an envelope \x01\xff");
  world.broker.inject(message);
  world.broker.inject(message);
  world.settle();
  REQUIRE(world.events.commands.size() == 2);
  CHECK(world.events.commands[0] == "an envelope \x01\xff");
  CHECK(world.uplink->counters().commands == 2);
  CHECK(world.uplink->counters().forged_messages == 0);
}

TEST_CASE(
    "what was not sealed for this host, by the control plane, as a command, goes no further") {
  World world;
  world.go_live();
  auto message = command_to(world, "an envelope");
  SUBCASE("changed") {
    message.payload[message.payload.size() / 2] ^= 1;
  }
  SUBCASE("cut") {
    message.payload.pop_back();
  }
  SUBCASE("for another host") {
    message.payload = wire::seal_command("an envelope", AgentId::parse("agent-2").value(),
                                         world.identity.keys.down);
  }
  SUBCASE("with the key of the other direction") {
    message.payload =
        wire::seal_command("an envelope", world.identity.address.agent, world.identity.keys.up);
  }
  SUBCASE("an ack on the topic of commands") {
    message.payload = wire::seal_ack(world.ingest.ack(), world.identity.keys.down);
  }
  SUBCASE("meta on the topic of commands") {
    const auto meta = wire::encode_meta({}).value();
    message.payload = wire::seal_meta(meta, world.identity.address.agent, world.identity.keys.down);
  }
  SUBCASE("a command on the topic of meta") {
    message.topic = topics::build(world.identity.address, topics::Channel::kMeta);
  }
  SUBCASE("sealed meta that is none") {
    message = {topics::build(world.identity.address, topics::Channel::kMeta),
               wire::seal_meta("\xff", world.identity.address.agent, world.identity.keys.down)};
  }
  world.broker.inject(message);
  world.settle();
  CHECK(world.events.commands.empty());
  CHECK(world.events.metas.empty());
  CHECK(world.uplink->counters().forged_messages == 1);
}

TEST_CASE("meta is decoded and handed on") {
  World world;
  world.go_live();
  wire::Meta meta;
  meta.roots = {"root 2", "root 3"};
  meta.time = "time";
  const mqtt::Message message{
      topics::build(world.identity.address, topics::Channel::kMeta),
      wire::seal_meta(wire::encode_meta(meta).value(), world.identity.address.agent,
                      world.identity.keys.down)};
  world.broker.inject(message);
  world.settle();
  REQUIRE(world.events.metas.size() == 1);
  CHECK(world.events.metas[0] == meta);
}
