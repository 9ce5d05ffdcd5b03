#include "controlplane/store/series.h"

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kDefine =
    "INSERT OR IGNORE INTO series(epoch_no, id, target, name, labels, kind, used_ms) "
    "VALUES(?,?,?,?,?,?,?)";
constexpr const char* kRaiseHighest =
    "UPDATE epochs SET series_high=max(series_high, ?) WHERE no=?";
constexpr const char* kSame =
    "SELECT target=?3 AND name=?4 AND labels=?5 AND kind=?6 FROM series WHERE epoch_no=?1 AND "
    "id=?2";
constexpr const char* kDefined = "SELECT id, used_ms FROM series WHERE epoch_no=?";
constexpr const char* kCount =
    "SELECT count(*) FROM series WHERE epoch_no IN (SELECT no FROM epochs WHERE agent=?)";
constexpr const char* kHighest = "SELECT series_high FROM epochs WHERE no=?";
constexpr const char* kAll =
    "SELECT id, target, name, labels, kind FROM series WHERE epoch_no=?1 AND (?2='' OR name=?2) "
    "ORDER BY id";
constexpr const char* kOfTarget =
    "SELECT id, target, name, labels, kind FROM series WHERE epoch_no=?1 AND (?2='' OR name=?2)"
    " AND target=?3 ORDER BY id";

constexpr const char* kNamed =
    "SELECT id, target, name, labels, kind FROM series WHERE epoch_no=? AND name=?";
constexpr const char* kNamedOfTarget =
    "SELECT id, target, name, labels, kind FROM series WHERE epoch_no=? AND name=? AND target=?";

Result<wire::SeriesDefinition> series_from(const sql::Statement& row) {
  wire::SeriesDefinition series;
  series.id = row.integer32(0);
  series.target = row.string(1);
  series.name = row.string(2);
  TRY(series.labels, unpack_labels(row.blob(3)));
  series.kind = static_cast<wire::MetricKind>(row.integer(4));
  return series;
}

bool has_all(const wire::Labels& labels, const wire::Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const wire::Label& label) {
    return std::find(labels.begin(), labels.end(), label) != labels.end();
  });
}

}  // namespace

std::string pack_labels(const wire::Labels& labels) {
  sql::Packer packer;
  for (const auto& label : labels) {
    packer.add(label.name);
    packer.add(label.value);
  }
  return packer.take();
}

Result<wire::Labels> unpack_labels(std::string_view bytes) {
  wire::Labels labels;
  for (sql::Unpacker unpacker(bytes); !unpacker.done();) {
    TRY(auto name, unpacker.next());
    TRY(auto value, unpacker.next());
    labels.push_back({std::move(name), std::move(value)});
  }
  return labels;
}

Result<Definitions> define_series(sql::Database& db, std::int64_t epoch_no,
                                  const std::vector<wire::SeriesDefinition>& series,
                                  std::int64_t now_ms) {
  Definitions out;
  std::uint32_t highest = 0;
  for (const auto& definition : series) {
    const std::string labels = pack_labels(definition.labels);
    const auto kind = static_cast<int>(definition.kind);
    TRY(const auto inserted, db.run(kDefine, epoch_no, definition.id, definition.target,
                                    definition.name, sql::Blob(labels), kind, now_ms));
    highest = std::max(highest, definition.id);
    if (inserted > 0) {
      ++out.added;
      continue;
    }
    TRY(const auto same, db.scalar(0, kSame, epoch_no, definition.id, definition.target,
                                   definition.name, sql::Blob(labels), kind));
    if (same == 0) out.redefined.push_back(definition.id);
  }
  if (highest > 0) {
    TRY_VOID(db.run(kRaiseHighest, highest, epoch_no));
  }
  return out;
}

Result<std::size_t> count_series(sql::Database& db, const AgentId& agent) {
  TRY(const auto count, db.scalar(0, kCount, agent.value()));
  return static_cast<std::size_t>(count);
}

Result<std::vector<DefinedSeries>> defined_series(sql::Database& db, std::int64_t epoch_no) {
  TRY(auto row, db.query(kDefined, epoch_no));
  std::vector<DefinedSeries> series;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return series;
    series.push_back({row.integer32(0), row.integer(1)});
  }
}

Result<std::uint64_t> highest_series_id(sql::Database& db, std::int64_t epoch_no) {
  TRY(const auto highest, db.scalar(0, kHighest, epoch_no));
  return static_cast<std::uint64_t>(highest);
}

Result<std::vector<wire::SeriesDefinition>> match_series(sql::Database& db, std::int64_t epoch_no,
                                                         const wire::Target& target,
                                                         const std::string& name,
                                                         const wire::Labels& labels) {
  TRY(auto row, target.empty() ? db.query(kAll, epoch_no, name)
                               : db.query(kOfTarget, epoch_no, name, target));
  std::vector<wire::SeriesDefinition> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    TRY(auto series, series_from(row));
    if (has_all(series.labels, labels)) out.push_back(std::move(series));
  }
}

Result<std::vector<wire::SeriesDefinition>> series_named(sql::Database& db, std::int64_t epoch_no,
                                                         const wire::Target& target,
                                                         const std::vector<std::string>& names) {
  std::vector<wire::SeriesDefinition> out;
  for (const auto& name : names) {
    TRY(auto row, target.empty() ? db.query(kNamed, epoch_no, name)
                                 : db.query(kNamedOfTarget, epoch_no, name, target));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      TRY(auto series, series_from(row));
      out.push_back(std::move(series));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

}  // namespace observeai::controlplane::store
