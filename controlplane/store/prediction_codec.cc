#include "controlplane/store/prediction_codec.h"

#include <bit>

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

void add_double(sql::Packer& out, double value) {
  out.add_number(std::bit_cast<std::uint64_t>(value));
}
void add_ms(sql::Packer& out, std::int64_t ms) {
  out.add_number(static_cast<std::uint64_t>(ms));
}
Result<void> next_double(sql::Unpacker& in, double& out) {
  TRY(const auto bits, in.next_number());
  out = std::bit_cast<double>(bits);
  return {};
}
Result<void> next_ms(sql::Unpacker& in, std::int64_t& out) {
  TRY(const auto number, in.next_number());
  out = static_cast<std::int64_t>(number);
  return {};
}
Result<void> next_text(sql::Unpacker& in, std::string& out) {
  TRY(out, in.next());
  return {};
}

void pack_forecast(sql::Packer& out, const model::StatedForecast& forecast) {
  add_ms(out, forecast.made_ms);
  add_double(out, forecast.p);
  add_ms(out, forecast.early_ms);
  add_ms(out, forecast.likely_ms);
  add_ms(out, forecast.late_ms);
  out.add(forecast.shape);
  add_double(out, forecast.per_hour);
  add_double(out, forecast.used);
  add_double(out, forecast.limit);
}

Result<void> unpack_forecast(sql::Unpacker& in, model::StatedForecast& forecast) {
  TRY_VOID(next_ms(in, forecast.made_ms));
  TRY_VOID(next_double(in, forecast.p));
  TRY_VOID(next_ms(in, forecast.early_ms));
  TRY_VOID(next_ms(in, forecast.likely_ms));
  TRY_VOID(next_ms(in, forecast.late_ms));
  TRY_VOID(next_text(in, forecast.shape));
  TRY_VOID(next_double(in, forecast.per_hour));
  TRY_VOID(next_double(in, forecast.used));
  TRY_VOID(next_double(in, forecast.limit));
  return {};
}

}  // namespace

std::string pack_prediction(const model::PredictionRecord& prediction) {
  sql::Packer out;
  out.add(prediction.name);
  out.add(prediction.unit);
  out.add(prediction.clock);
  add_ms(out, prediction.horizon_ms);
  add_ms(out, prediction.updated_ms);
  pack_forecast(out, prediction.first);
  pack_forecast(out, prediction.newest);
  pack_forecast(out, prediction.before_action);
  add_ms(out, prediction.acted_ms);
  out.add(prediction.acted);
  out.add(prediction.reason);
  out.add(pack_suggestions(prediction.suggestions));
  return out.take();
}

Result<void> unpack_prediction(std::string_view bytes, model::PredictionRecord& prediction) {
  sql::Unpacker in(bytes);
  TRY_VOID(next_text(in, prediction.name));
  TRY_VOID(next_text(in, prediction.unit));
  TRY_VOID(next_text(in, prediction.clock));
  TRY_VOID(next_ms(in, prediction.horizon_ms));
  TRY_VOID(next_ms(in, prediction.updated_ms));
  TRY_VOID(unpack_forecast(in, prediction.first));
  TRY_VOID(unpack_forecast(in, prediction.newest));
  TRY_VOID(unpack_forecast(in, prediction.before_action));
  TRY_VOID(next_ms(in, prediction.acted_ms));
  TRY_VOID(next_text(in, prediction.acted));
  TRY_VOID(next_text(in, prediction.reason));
  TRY(const auto suggestions, in.next());
  TRY(prediction.suggestions, unpack_suggestions(suggestions));
  return {};
}

std::string pack_suggestions(const std::vector<model::SuggestedAction>& suggestions) {
  sql::Packer out;
  for (const auto& one : suggestions) {
    out.add(one.action);
    out.add(sql::pack(one.parameters));
    out.add(one.why);
  }
  return out.take();
}

Result<std::vector<model::SuggestedAction>> unpack_suggestions(std::string_view bytes) {
  std::vector<model::SuggestedAction> out;
  sql::Unpacker in(bytes);
  while (!in.done()) {
    auto& one = out.emplace_back();
    TRY(one.action, in.next());
    TRY(const auto parameters, in.next());
    TRY(one.parameters, sql::unpack_map(parameters));
    TRY(one.why, in.next());
  }
  return out;
}

}  // namespace observeai::controlplane::store
