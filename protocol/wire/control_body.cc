#include "protocol/base/text.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/convert.h"
#include "protocol/wire/detail/shape.h"

// Layout: protocol/proto/observeai/v1/control.proto.
namespace observeai::wire::detail {
namespace {

using detail::from_proto;  // Beside the overloads below, which would hide them
using detail::to_proto;

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "control body: " + std::string(why));
}
Error invalid(const std::string& why) {
  return Error(Errc::kInvalid, "control: " + why);
}

bool is_known(MetricKind kind) {
  return kind == MetricKind::kGauge || kind == MetricKind::kCounter;
}
bool is_known(Severity severity) {
  return severity >= Severity::kDebug && severity <= Severity::kCritical;
}

bool is_result(const std::string& envelope) {
  return !envelope.empty() && envelope.size() <= kMaxResultEnvelopeBytes;
}

using DroppedList = google::protobuf::RepeatedPtrField<v1::LedgerEntry::Dropped>;
using DroppedMap = std::map<std::string, std::uint64_t>;

void to_proto(const DroppedMap& dropped, DroppedList& out) {
  for (const auto& [reason, count] : dropped) {
    auto& added = *out.Add();
    added.set_reason(reason);
    added.set_count(count);
  }
}

Result<DroppedMap> from_proto(const DroppedList& dropped) {
  DroppedMap out;
  for (const auto& entry : dropped) {
    if (!out.empty() && entry.reason() <= out.rbegin()->first) {
      return corrupt("reasons of drops do not ascend strictly");
    }
    out.emplace_hint(out.end(), entry.reason(), entry.count());
  }
  return out;
}

Result<void> to_proto(const SeriesDefinition& series, v1::SeriesDefinition& out) {
  if (series.id == 0) return invalid("series ids count from 1");
  if (!is_known(series.kind)) return invalid("series of an unknown kind");
  out.set_id(series.id);
  out.set_target(series.target);
  out.set_name(series.name);
  out.set_kind(static_cast<v1::MetricKind>(series.kind));
  return labels_to_proto(series.labels, *out.mutable_labels());
}

Result<SeriesDefinition> from_proto(const v1::SeriesDefinition& in) {
  const auto kind = static_cast<MetricKind>(in.kind());
  if (in.id() == 0) return corrupt("series without an id");
  if (in.kind() > UINT8_MAX || in.kind() < 0 || !is_known(kind))
    return corrupt("series of an unknown kind");
  TRY(Labels labels, labels_from_proto(in.labels()));
  return SeriesDefinition{.id = in.id(),
                          .target = in.target(),
                          .name = in.name(),
                          .labels = std::move(labels),
                          .kind = kind};
}

Result<void> to_proto(const Event& event, v1::Event& out) {
  if (!is_known(event.severity)) return invalid("event of an unknown severity");
  out.set_ts_ms(event.ts_ms);
  out.set_kind(event.kind);
  out.set_target(event.target);
  out.set_severity(static_cast<v1::Severity>(event.severity));
  out.set_message(event.message);
  return labels_to_proto(event.attributes, *out.mutable_attributes());
}

Result<Event> from_proto(const v1::Event& in) {
  const auto severity = static_cast<Severity>(in.severity());
  if (in.severity() > UINT8_MAX || in.severity() < 0 || !is_known(severity)) {
    return corrupt("event of an unknown severity");
  }
  TRY(Labels attributes, labels_from_proto(in.attributes()));
  return Event{.ts_ms = in.ts_ms(),
               .kind = in.kind(),
               .target = in.target(),
               .severity = severity,
               .message = in.message(),
               .attributes = std::move(attributes)};
}

Result<void> to_proto(const LedgerEntry& entry, v1::LedgerEntry& out) {
  if (static_cast<std::size_t>(entry.lane) >= kLaneCount)
    return invalid("ledger of an unknown lane");
  out.set_source(entry.source);
  out.set_lane(static_cast<std::uint32_t>(entry.lane));
  out.set_as_of_seq(entry.as_of_seq);
  out.set_records_read(entry.records_read);
  out.set_bytes_read(entry.bytes_read);
  out.set_records_spooled(entry.records_spooled);
  to_proto(entry.records_dropped, *out.mutable_records_dropped());
  to_proto(entry.bytes_dropped, *out.mutable_bytes_dropped());
  return {};
}

Result<LedgerEntry> from_proto(const v1::LedgerEntry& in) {
  if (in.lane() >= kLaneCount) return corrupt("ledger of an unknown lane");
  LedgerEntry out{.source = in.source(),
                  .lane = Lane{static_cast<std::uint8_t>(in.lane())},
                  .as_of_seq = in.as_of_seq(),
                  .records_read = in.records_read(),
                  .bytes_read = in.bytes_read(),
                  .records_spooled = in.records_spooled(),
                  .records_dropped = {},
                  .bytes_dropped = {}};
  TRY(out.records_dropped, from_proto(in.records_dropped()));
  TRY(out.bytes_dropped, from_proto(in.bytes_dropped()));
  return out;
}

template <class Values, class Messages>
Result<void> all_to_proto(const Values& values, Messages& out) {
  for (const auto& value : values) {
    TRY_VOID(to_proto(value, *out.Add()));
  }
  return {};
}

template <class Value, class Messages>
Result<std::vector<Value>> all_from_proto(const Messages& messages) {
  std::vector<Value> out;
  out.reserve(static_cast<std::size_t>(messages.size()));
  for (const auto& message : messages) {
    TRY(Value value, from_proto(message));
    out.push_back(std::move(value));
  }
  return out;
}

// The first name that does not ascend, or nullptr.
const std::string* out_of_order(const Labels& labels) {
  for (std::size_t i = 1; i < labels.size(); ++i) {
    if (labels[i].name <= labels[i - 1].name) return &labels[i].name;
  }
  return nullptr;
}

}  // namespace

Result<void> check_labels(const Labels& labels) {
  const auto* name = out_of_order(labels);
  if (name == nullptr) return {};
  return invalid("labels are not sorted and unique at \"" + text::escape_unprintable(*name, 80) +
                 "\"");
}

Result<void> labels_to_proto(const Labels& labels,
                             google::protobuf::RepeatedPtrField<v1::Label>& out) {
  TRY_VOID(check_labels(labels));
  for (const auto& label : labels) {
    auto& added = *out.Add();
    added.set_name(label.name);
    added.set_value(label.value);
  }
  return {};
}

Result<Labels> labels_from_proto(const google::protobuf::RepeatedPtrField<v1::Label>& labels) {
  Labels out;
  out.reserve(static_cast<std::size_t>(labels.size()));
  for (const auto& label : labels) out.push_back({label.name(), label.value()});
  if (out_of_order(out) != nullptr) return corrupt("labels are not sorted and unique");
  return out;
}

Result<std::string> serialize_control(const ControlBatch& batch) {
  v1::ControlBody body;
  TRY_VOID(all_to_proto(batch.series, *body.mutable_series()));
  TRY_VOID(all_to_proto(batch.inventory, *body.mutable_inventory()));
  TRY_VOID(all_to_proto(batch.events, *body.mutable_events()));
  TRY_VOID(all_to_proto(batch.ledger, *body.mutable_ledger()));
  for (const auto& envelope : batch.results) {
    if (!is_result(envelope)) return invalid("a result that is empty or too long");
    body.add_results(envelope);
  }
  auto bytes = body.SerializeAsString();
  // The decoder's own count, so that what is sent is always accepted.
  if (!structure_bytes(bytes, kControlShape, kMaxDecodedBytes)) {
    return Error(Errc::kLimit, "too many definitions, entries and events for one batch");
  }
  return bytes;
}

Result<ControlBatch> parse_control(std::string_view bytes) {
  const auto structure = structure_bytes(bytes, kControlShape, kMaxDecodedBytes);
  if (!structure) return corrupt(structure.error().message());
  v1::ControlBody body;
  if (!body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  ControlBatch batch;
  TRY(batch.series, all_from_proto<SeriesDefinition>(body.series()));
  TRY(batch.inventory, all_from_proto<InventoryUpdate>(body.inventory()));
  TRY(batch.events, all_from_proto<Event>(body.events()));
  TRY(batch.ledger, all_from_proto<LedgerEntry>(body.ledger()));
  for (auto& envelope : *body.mutable_results()) {
    if (!is_result(envelope)) return corrupt("a result that is empty or too long");
    batch.results.push_back(std::move(envelope));
  }
  return batch;
}

}  // namespace observeai::wire::detail
