#include "protocol/wire/detail/shape.h"

#include <string>

#include "observeai/v1/batch.pb.h"
#include "observeai/v1/command.pb.h"
#include "observeai/v1/control.pb.h"
#include "observeai/v1/trust.pb.h"
#include "protocol/wire/command.h"
#include "protocol/wire/messages.h"

namespace observeai::wire::detail {
namespace {

using Child = Shape::Child;

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

// Costs are sizeof(generated) + sizeof(plain) + 48 for each string that the generated form
// allocates, rounded up (libstdc++ and protobuf 3.21; a few per cent do not matter).
constexpr Shape kString{128, {}};  // Of a repeated field
constexpr Shape kNumber{16, {}, true};
constexpr Shape kPair{256, {}};  // Label, counter, drop: two strings or a map node
constexpr Shape kPortMapping{384, {}};
constexpr Shape kHostFacts{1536, {}};
constexpr Shape kUnit{640, {}};
constexpr Shape kPort{768, {}};

constexpr std::size_t kProtoString = 48;  // On the heap, with the allocator's header
template <class Generated, class Plain>
constexpr std::size_t memory(std::size_t strings) {
  return sizeof(Generated) + sizeof(void*) + strings * kProtoString + sizeof(Plain);
}
using DropNode = std::pair<std::string, std::uint64_t[8]>;  // A map node: pointers, colour, value
static_assert(memory<v1::Label, Label>(2) <= kPair.cost);
static_assert(memory<v1::Hello::Counter, DropNode>(1) <= kPair.cost);
static_assert(memory<v1::LedgerEntry::Dropped, DropNode>(1) <= kPair.cost);
static_assert(memory<v1::PortMapping, PortMapping>(2) <= kPortMapping.cost);
static_assert(memory<v1::HostFacts, HostFacts>(10) <= kHostFacts.cost);
static_assert(memory<v1::SystemdUnit, SystemdUnit>(4) <= kUnit.cost);
static_assert(memory<v1::ListeningPort, ListeningPort>(5) <= kPort.cost);

constexpr Child kSeriesChildren[] = {{5, &kPair}};
constexpr Shape kSeries{384, kSeriesChildren};
constexpr Child kEventChildren[] = {{6, &kPair}};
constexpr Shape kEvent{512, kEventChildren};
constexpr Child kLedgerChildren[] = {{7, &kPair}, {8, &kPair}};
constexpr Shape kLedger{512, kLedgerChildren};
constexpr Child kContainerChildren[] = {{22, &kPortMapping}, {23, &kPair}};
constexpr Shape kContainer{2048, kContainerChildren};
constexpr Child kProcessChildren[] = {{8, &kNumber}};
constexpr Shape kProcess{1024, kProcessChildren};

static_assert(memory<v1::SeriesDefinition, SeriesDefinition>(2) <= kSeries.cost);
static_assert(memory<v1::Event, Event>(3) <= kEvent.cost);
static_assert(memory<v1::LedgerEntry, LedgerEntry>(1) <= kLedger.cost);
static_assert(memory<v1::Container, Container>(11) <= kContainer.cost);
static_assert(memory<v1::ProcessGroup, ProcessGroup>(6) <= kProcess.cost);

constexpr Child kContainersChildren[] = {{2, &kContainer}, {3, &kString}};
constexpr Shape kContainers{256, kContainersChildren};
constexpr Child kProcessesChildren[] = {{2, &kProcess}, {3, &kString}};
constexpr Shape kProcesses{256, kProcessesChildren};
constexpr Child kUnitsChildren[] = {{2, &kUnit}, {3, &kString}};
constexpr Shape kUnits{256, kUnitsChildren};
constexpr Child kPortsChildren[] = {{2, &kPort}, {3, &kString}};
constexpr Shape kPorts{256, kPortsChildren};
constexpr Child kInventoryChildren[] = {
    {2, &kHostFacts}, {3, &kContainers}, {4, &kProcesses}, {5, &kUnits}, {6, &kPorts}};
constexpr Shape kInventory{1024, kInventoryChildren};
static_assert(memory<v1::InventoryUpdate, InventoryUpdate>(0) <= kInventory.cost);
static_assert(sizeof(v1::ContainerSection) <= kContainers.cost);
constexpr Child kControlChildren[] = {
    {1, &kSeries}, {2, &kInventory}, {3, &kEvent}, {4, &kLedger}, {5, &kString}};

constexpr Child kHelloChildren[] = {{11, &kNumber}, {12, &kNumber}, {17, &kPair}, {18, &kPair}};
constexpr Child kLossChildren[] = {{2, &kPair}};
static_assert(memory<v1::LossNotice::Source, LossNotice::Source>(1) <= kPair.cost);
static_assert(memory<v1::Hello::Pending, PendingTags>(2) <= kPair.cost);

static_assert(memory<v1::Hello, Hello>(10) + memory<v1::Hello::Executor, ExecutorReport>(5) <=
              2048);
constexpr Child kEnvelopeChildren[] = {{3, &kPair}};

constexpr Child kDelegationChildren[] = {{1, &kString}, {2, &kString}};
constexpr Shape kDelegation{256, kDelegationChildren};
constexpr Child kSignerChildren[] = {{2, &kDelegation}};
constexpr Shape kSigner{384, kSignerChildren};
constexpr Child kRootChildren[] = {{4, &kString}, {5, &kSigner}, {6, &kPair}};

using ParameterNode = std::pair<std::pair<const std::string, ParameterValue>, std::uint64_t[4]>;
constexpr Shape kParameter{320, {}};
constexpr Shape kChange{384, {}};
constexpr Shape kStep{256, {}};
static_assert(memory<v1::Parameter, ParameterNode>(2) <= kParameter.cost);
static_assert(memory<v1::CommandResult::Change, Change>(3) <= kChange.cost);
static_assert(memory<v1::CommandResult::Step, ResultStep>(2) <= kStep.cost);
constexpr Child kIntentChildren[] = {{7, &kParameter}};
constexpr Child kCommandChildren[] = {{13, &kString}, {14, &kString}};
constexpr Child kResultChildren[] = {{10, &kChange}, {11, &kStep}, {22, &kPair}};
constexpr Child kMetaChildren[] = {{1, &kString}};

Error malformed() {
  return Error(Errc::kCorrupt, "not a protobuf message");
}

// Walks fields. Lenient about number forms: protobuf's own parser decides; this one only counts.
class Walker {
 public:
  explicit Walker(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }

  bool varint(std::uint64_t& value) {
    value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto byte = static_cast<std::uint8_t>(rest_[i]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
      if (byte >= 0x80) continue;
      rest_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }
  bool take(std::uint64_t count, std::string_view& out) {
    if (count > rest_.size()) return false;
    out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return true;
  }
  // The value of a field; for a varint the empty view.
  bool value(std::uint64_t wire_type, std::string_view& out) {
    std::uint64_t number = 0;
    switch (wire_type) {
      case kVarint:
        out = {};
        return varint(number);
      case kFixed64:
        return take(8, out);
      case kFixed32:
        return take(4, out);
      case kLengthDelimited:
        return varint(number) && take(number, out);
      default:
        return false;  // Groups: no message of ours has any
    }
  }

 private:
  std::string_view rest_;
};

const Shape* child_of(const Shape& shape, std::uint64_t field) {
  for (const auto& child : shape.children) {
    if (child.field == field) return child.shape;
  }
  return nullptr;
}

// As deep as the table of shapes, which has no cycle.
Result<void> count(std::string_view message, const Shape& shape, std::size_t limit,
                   std::size_t& sum) {
  sum += shape.cost * (shape.scalars ? std::max<std::size_t>(message.size(), 1) : 1);
  if (sum > limit) return Error(Errc::kCorrupt, "claims more elements than a message may hold");
  if (shape.children.empty()) return {};
  Walker walker(message);
  while (!walker.at_end()) {
    std::uint64_t tag = 0;
    std::string_view value;
    // A tag has 32 bits; protobuf drops what is above, so it must not count as another field here.
    if (!walker.varint(tag) || tag > UINT32_MAX || !walker.value(tag & 7, value))
      return malformed();
    const Shape* child = child_of(shape, tag >> 3);
    if (child != nullptr) {
      TRY_VOID(count(value, *child, limit, sum));
    }
  }
  return {};
}

}  // namespace

const Shape kControlShape{256, kControlChildren};
const Shape kHelloShape{2048, kHelloChildren};
const Shape kLossShape{256, kLossChildren};
const Shape kEnvelopeShape{256, kEnvelopeChildren};
const Shape kRootShape{512, kRootChildren};
const Shape kIntentShape{1024, kIntentChildren};
const Shape kCommandShape{1024, kCommandChildren};
const Shape kResultShape{1536, kResultChildren};
const Shape kMetaShape{256, kMetaChildren};
const Shape kFlatShape{512, {}};
static_assert(memory<v1::Intent, Intent>(9) <= 1024);
static_assert(memory<v1::Command, Command>(7) <= 1024);
static_assert(memory<v1::CommandResult, CommandResult>(12) <= 1536);
static_assert(memory<v1::Meta, Meta>(2) <= 256);
static_assert(memory<v1::Approval, Approval>(4) <= 512);

Result<std::size_t> structure_bytes(std::string_view message, const Shape& shape,
                                    std::size_t limit) {
  std::size_t sum = 0;
  TRY_VOID(count(message, shape, limit, sum));
  return sum;
}

}  // namespace observeai::wire::detail
