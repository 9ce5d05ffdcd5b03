#include <limits>
#include <unordered_map>

#include "observeai/v1/logs.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/varint.h"

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

Result<void> check_limits(const LogBatch& batch) {
  std::uint64_t structure = 0;
  std::uint64_t text = 0;
  for (const auto& record : batch.records) {
    structure += decoded_bytes(record.target.size());
    text += record.text.size();
  }
  if (structure > kMaxDecodedBytes || text > kMaxBodyBytes) {
    return Error(Errc::kLimit, std::to_string(batch.records.size()) + " log records with " +
                                   std::to_string(text) + " bytes are too many for one batch");
  }
  return {};
}

// Numbers targets in the order of their first use.
class TargetTable {
 public:
  explicit TargetTable(v1::LogBody& body) : body_(body) {}

  std::uint64_t index_of(const Target& target) {
    if (!numbers_.empty() && target == last_)
      return last_number_;  // As a rule one source's records stand together
    const auto [at, added] = numbers_.try_emplace(target, numbers_.size());
    if (added) {
      put_varint(*body_.mutable_target_lengths(), target.size());
      body_.mutable_target_text()->append(target);
    }
    last_ = at->first;
    last_number_ = at->second;
    return last_number_;
  }

 private:
  v1::LogBody& body_;
  std::unordered_map<std::string_view, std::uint64_t> numbers_;
  std::string_view last_;  // Of numbers_, or empty
  std::uint64_t last_number_ = 0;
};

Result<std::vector<std::string_view>> read_targets(const v1::LogBody& body) {
  std::vector<std::string_view> targets;
  ColumnReader lengths(body.target_lengths());
  ColumnReader text(body.target_text());
  while (!lengths.at_end()) {
    const auto length = lengths.varint();
    const auto target = length ? text.bytes(*length) : std::nullopt;
    if (!target || targets.size() * sizeof(targets[0]) > kMaxDecodedBytes) {
      return corrupt("bad target table");
    }
    targets.push_back(*target);
  }
  if (!text.at_end()) return corrupt("target text is too long");
  return targets;
}

// Counts the records and what they will take; allocates nothing.
Result<std::size_t> count_records(const v1::LogBody& body,
                                  const std::vector<std::string_view>& targets) {
  const std::size_t records = body.streams().size();
  const std::size_t shortest =
      std::min({body.record_targets().size(), body.ts_ns().size(), body.flags().size(),
                body.original_bytes().size(), body.text_lengths().size()});
  if (records > shortest) return corrupt("columns differ in length");
  std::uint64_t structure = 0;
  ColumnReader indexes(body.record_targets());
  for (std::size_t i = 0; i < records; ++i) {
    const auto index = indexes.varint();
    if (!index || *index >= targets.size()) return corrupt("record of an unknown target");
    structure += decoded_bytes(targets[*index].size());
    if (structure > kMaxDecodedBytes) return corrupt("too many records");
  }
  if (!indexes.at_end()) return corrupt("columns differ in length");
  return records;
}

class RecordReader {
 public:
  RecordReader(const v1::LogBody& body, const std::vector<std::string_view>& targets)
      : targets_(targets),
        indexes_(body.record_targets()),
        streams_(body.streams()),
        times_(body.ts_ns()),
        flags_(body.flags()),
        originals_(body.original_bytes()),
        lengths_(body.text_lengths()),
        text_(body.text()) {}

  Result<LogRecord> next() {
    const auto index = indexes_.varint();
    const auto stream = streams_.byte();
    const auto step = times_.signed_varint();
    const auto flags = flags_.varint32();
    const auto original = originals_.varint();
    const auto length = lengths_.varint();
    if (!index || !stream || !step || !flags || !original || !length) return corrupt("bad column");
    if (!is_known(LogStream{*stream})) return corrupt("unknown stream");
    const auto text = text_.bytes(*length);
    if (!text) return corrupt("text is too short");
    ts_ns_ = next_value(ts_ns_, *step);
    return LogRecord{.target = Target(targets_[*index]),
                     .stream = LogStream{*stream},
                     .ts_ns = ts_ns_,
                     .text = std::string(*text),
                     .flags = *flags,
                     .original_bytes = *original};
  }
  bool at_end() const {
    return times_.at_end() && flags_.at_end() && originals_.at_end() && lengths_.at_end() &&
           text_.at_end();
  }

 private:
  const std::vector<std::string_view>& targets_;
  ColumnReader indexes_;
  ColumnReader streams_;
  ColumnReader times_;
  ColumnReader flags_;
  ColumnReader originals_;
  ColumnReader lengths_;
  ColumnReader text_;
  std::int64_t ts_ns_ = 0;
};

// The message with the records' text, its last field and nearly all of it, copied but once.
std::string with_text(const v1::LogBody& rest, const std::vector<LogRecord>& records) {
  constexpr std::size_t kTagAndLength = 12;
  constexpr unsigned kLengthDelimited = 2;
  std::size_t text_bytes = 0;
  for (const auto& record : records) text_bytes += record.text.size();
  std::string out;
  out.reserve(rest.ByteSizeLong() + kTagAndLength + text_bytes);
  rest.AppendToString(&out);
  if (text_bytes == 0) return out;
  put_varint(out, v1::LogBody::kTextFieldNumber << 3 | kLengthDelimited);
  put_varint(out, text_bytes);
  for (const auto& record : records) out.append(record.text);
  return out;
}

}  // namespace

Result<std::string> serialize_logs(const LogBatch& batch) {
  TRY_VOID(check_limits(batch));
  v1::LogBody body;
  body.set_text_encoding(v1::LOG_TEXT_ENCODING_CONCATENATED);
  TargetTable targets(body);
  std::int64_t last_ts_ns = 0;
  for (const auto& record : batch.records) {
    if (!is_known(record.stream)) return Error(Errc::kInvalid, "log record of an unknown stream");
    put_varint(*body.mutable_record_targets(), targets.index_of(record.target));
    body.mutable_streams()->push_back(static_cast<char>(record.stream));
    put_varint(*body.mutable_ts_ns(), zigzag(difference(last_ts_ns, record.ts_ns)));
    last_ts_ns = record.ts_ns;
    put_varint(*body.mutable_flags(), record.flags);
    put_varint(*body.mutable_original_bytes(), record.original_bytes);
    put_varint(*body.mutable_text_lengths(), record.text.size());
  }
  return with_text(body, batch.records);
}

Result<LogBatch> parse_logs(std::string_view bytes) {
  v1::LogBody body;
  if (!body.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  if (body.text_encoding() != v1::LOG_TEXT_ENCODING_CONCATENATED) {
    return corrupt("unknown text encoding " + std::to_string(body.text_encoding()));
  }
  TRY(const auto targets, read_targets(body));
  TRY(const auto records, count_records(body, targets));
  RecordReader reader(body, targets);
  LogBatch batch;
  batch.records.reserve(records);
  for (std::size_t i = 0; i < records; ++i) {
    TRY(auto record, reader.next());
    batch.records.push_back(std::move(record));
  }
  if (!reader.at_end()) return corrupt("columns are too long");
  return batch;
}

}  // namespace observeai::wire::detail
