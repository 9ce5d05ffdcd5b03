#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"

namespace observeai::agent {
namespace {

// When the certificates of this host begin and end, named as x509-certificate-exporter does. They are
// renewed days before they end: once an hour is soon enough, and files are opened by no other scrape.
class CertificateCollector final : public Collector {
 public:
  static constexpr std::int64_t kEveryMs = 3'600'000;

  explicit CertificateCollector(HostCalls calls) : calls_(std::move(calls)) {}
  std::string_view name() const override { return "certificates"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    if (!calls_.certificates) return {};
    Result<void> outcome;
    if (due_ms_ == 0 || context.now_ms >= due_ms_ || context.now_ms + kEveryMs < due_ms_) {
      due_ms_ = context.now_ms + kEveryMs;
      if (auto found = calls_.certificates()) {
        known_ = std::move(*found);
      } else {
        outcome = found.error();  // What was known is still true
      }
    }
    rows_.begin();
    for (const CertificateDates& one : known_) {
      Row* row = rows_.at(one.path + '\n' + one.serial);
      if (row == nullptr) break;
      const LabelViews labels = {{"filepath", one.path},
                                 {"issuer_CN", one.issuer},
                                 {"serial_number", one.serial},
                                 {"subject_CN", one.subject}};
      sink.host(row->refs[0], gauge("x509_cert_not_after"), labels,
                static_cast<double>(one.not_after_s));
      sink.host(row->refs[1], gauge("x509_cert_not_before"), labels,
                static_cast<double>(one.not_before_s));
    }
    rows_.end();
    return outcome;
  }

 private:
  struct Row {
    explicit Row(std::string_view) {}
    std::array<SeriesRef, 2> refs;
  };

  HostCalls calls_;
  std::int64_t due_ms_ = 0;
  std::vector<CertificateDates> known_;
  RowCache<Row> rows_;
};

}  // namespace

CollectorPtr make_certificate_collector(HostCalls calls) {
  return std::make_unique<CertificateCollector>(std::move(calls));
}

}  // namespace observeai::agent
