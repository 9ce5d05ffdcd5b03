#include <unordered_map>

#include "observeai/v1/logs.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/log_columns.h"

// Layout: protocol/proto/observeai/v1/logs.proto.
namespace observeai::wire::detail {
namespace {

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "log body: " + std::string(why));
}

bool is_known(LogStream stream) {
  return stream >= LogStream::kStdout && stream <= LogStream::kOther;
}

// What a record takes in memory besides its text, which the body's own size bounds.
std::uint64_t decoded_bytes(std::size_t target_bytes) {
  return sizeof(LogRecord) + target_bytes;
}

// ---- writing -----------------------------------------------------------------------------------

// Gives the bytes of text.
Result<std::size_t> check_batch(const LogBatch& batch) {
  std::uint64_t structure = 0;
  std::uint64_t text = 0;
  for (const auto& record : batch.records) {
    if (!is_known(record.stream)) return Error(Errc::kInvalid, "log record of an unknown stream");
    structure += decoded_bytes(record.target.size());
    text += record.text.size();
  }
  if (structure > kMaxDecodedBytes || text > kMaxBodyBytes) {
    return Error(Errc::kLimit, std::to_string(batch.records.size()) + " log records with " +
                                   std::to_string(text) + " bytes are too many for one batch");
  }
  return text;
}

void put_targets(const LogBatch& batch, Sections& out) {
  std::unordered_map<std::string_view, std::uint64_t> numbers;
  std::vector<std::uint64_t> lengths;
  std::vector<std::uint64_t> indexes;
  indexes.reserve(batch.records.size());
  const Target* last = nullptr;
  for (const auto& record : batch.records) {
    // As a rule one source's records stand together.
    if (last != nullptr && record.target == *last) {
      indexes.push_back(indexes.back());
      continue;
    }
    last = &record.target;
    const auto [at, added] = numbers.try_emplace(record.target, numbers.size());
    indexes.push_back(at->second);
    if (!added) continue;
    lengths.push_back(record.target.size());
    out.text.append(record.target);
  }
  put_varint(out.head, lengths.size());
  put_numbers(lengths, out);
  put_numbers(indexes, out);
}

template <class NumberOf>
void put_each(const LogBatch& batch, const NumberOf& number_of, std::vector<std::uint64_t>& scratch,
              Sections& out) {
  scratch.clear();
  for (const auto& record : batch.records) {
    scratch.push_back(static_cast<std::uint64_t>(number_of(record)));
  }
  put_numbers(scratch, out);
}

// As protobuf would, but with the places where a section ends.
SectionedBody join(const Sections& sections) {
  constexpr unsigned kLengthDelimited = 2;
  SectionedBody out;
  out.bytes.reserve(sections.head.size() + sections.text.size() + sections.numbers.size() +
                    sections.packed.size() + 64);
  put_varint(out.bytes, v1::LogBody::kFormFieldNumber << 3);
  put_varint(out.bytes, v1::LOG_FORM_SKELETONS);
  const auto put = [&](unsigned field, const std::string& section) {
    if (section.empty()) return;
    put_varint(out.bytes, field << 3 | kLengthDelimited);
    put_varint(out.bytes, section.size());
    out.bytes.append(section);
    out.ends.push_back(out.bytes.size());
  };
  put(v1::LogBody::kHeadFieldNumber, sections.head);
  put(v1::LogBody::kTextFieldNumber, sections.text);
  put(v1::LogBody::kNumbersFieldNumber, sections.numbers);
  put(v1::LogBody::kPackedFieldNumber, sections.packed);
  return out;
}

// ---- reading -----------------------------------------------------------------------------------

// The columns of records besides their lines, which come behind them.
struct RecordColumns {
  std::vector<std::string_view> targets;
  NumberColumn indexes;
  NumberColumn streams;
  NumberColumn times;
  NumberColumn flags;
  NumberColumn originals;
};

Result<std::size_t> take_count(SectionReader& from) {
  const auto count = from.head.varint();
  if (!count) return corrupt("no count");
  if (*count > kMaxDecodedBytes / decoded_bytes(0)) return corrupt("too many records");
  return *count;
}

bool take_targets(SectionReader& from, RecordColumns& out) {
  const auto count = from.head.varint();
  if (!count || *count > kMaxDecodedBytes / sizeof(out.targets[0])) return false;
  auto lengths = NumberColumn::take(*count, from);
  if (!lengths) return false;
  out.targets.reserve(*count);
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto target = from.text.bytes(lengths->next());
    if (!target) return false;
    out.targets.push_back(*target);
  }
  return true;
}

// Counts what the records will take before any is built.
Result<RecordColumns> take_columns(std::size_t records, SectionReader& from) {
  RecordColumns out;
  if (!take_targets(from, out)) return corrupt("bad target table");
  for (auto* column : {&out.indexes, &out.streams, &out.times, &out.flags, &out.originals}) {
    const auto taken = NumberColumn::take(records, from);
    if (!taken) return corrupt("bad column");
    *column = *taken;
  }
  std::uint64_t structure = 0;
  auto indexes = out.indexes;
  for (std::size_t i = 0; i < records; ++i) {
    const auto index = indexes.next();
    if (index >= out.targets.size()) return corrupt("record of an unknown target");
    structure += decoded_bytes(out.targets[index].size());
    if (structure > kMaxDecodedBytes) return corrupt("too many records");
  }
  return out;
}

Result<LogRecord> next_record(RecordColumns& columns, LogLineReader& lines) {
  const auto stream = columns.streams.next();
  const auto flags = columns.flags.next();
  if (stream > UINT8_MAX || !is_known(LogStream{static_cast<std::uint8_t>(stream)})) {
    return corrupt("unknown stream");
  }
  if (flags > UINT32_MAX) return corrupt("flags above 32 bits");
  LogRecord record;
  record.target = columns.targets[columns.indexes.next()];
  record.stream = LogStream{static_cast<std::uint8_t>(stream)};
  record.ts_ns = static_cast<std::int64_t>(columns.times.next());
  TRY(record.text, lines.next());
  record.flags = static_cast<std::uint32_t>(flags);
  record.original_bytes = columns.originals.next();
  return record;
}

}  // namespace

Result<SectionedBody> serialize_logs(const LogBatch& batch) {
  TRY(const auto text_bytes, check_batch(batch));
  Sections out;
  put_varint(out.head, batch.records.size());
  put_targets(batch, out);
  std::vector<std::uint64_t> scratch;
  scratch.reserve(batch.records.size());
  const auto put = [&](const auto& number_of) { put_each(batch, number_of, scratch, out); };
  put([](const LogRecord& record) { return record.stream; });
  put([](const LogRecord& record) { return record.ts_ns; });
  put([](const LogRecord& record) { return record.flags; });
  put([](const LogRecord& record) { return record.original_bytes; });
  LogSkeletons lines(batch.records.size(), text_bytes);
  for (const auto& record : batch.records) lines.add(record.text);
  put_lines(lines, out);
  return join(out);
}

Result<LogBatch> parse_logs(std::string_view bytes) {
  v1::LogBody body;
  if (!body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  if (body.form() != v1::LOG_FORM_SKELETONS) {
    return corrupt("unknown form " + std::to_string(body.form()));
  }
  SectionReader from{ColumnReader(body.head()), ColumnReader(body.text()),
                     ColumnReader(body.numbers()), ColumnReader(body.packed())};
  TRY(const auto records, take_count(from));
  TRY(auto columns, take_columns(records, from));
  TRY(auto lines, LogLineReader::create(records, from));
  if (!from.at_end()) return corrupt("columns are too long");
  LogBatch batch;
  batch.records.reserve(records);
  for (std::size_t i = 0; i < records; ++i) {
    TRY(auto record, next_record(columns, lines));
    batch.records.push_back(std::move(record));
  }
  return batch;
}

}  // namespace observeai::wire::detail
