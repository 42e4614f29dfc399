#include "api/trace_settings.h"

#include <charconv>
#include <limits>
#include <utility>

namespace pt::api {
namespace {

Status Unreadable(std::string_view name, std::string_view text) {
  return InvalidArgument("Unable to parse '" + std::string(name) + "', got: " + std::string(text));
}

// Whole numbers only: Triton also takes "1x", and -1 for the largest.
Result<int64_t> ParseNumber(std::string_view name, std::string_view text, int64_t min,
                            int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = end == text.data() + text.size();
  if (error == std::errc::invalid_argument || !is_whole) return Unreadable(name, text);
  if (error == std::errc::result_out_of_range || value < min || value > max) {
    return InvalidArgument("Unable to parse '" + std::string(name) + "', value is out of range [ " +
                           std::to_string(min) + ", " + std::to_string(max) +
                           " ], got: " + std::string(text));
  }
  return value;
}

Status SetUint32(std::string_view name, std::string_view text, Changed<uint32_t>* to) {
  PT_ASSIGN_OR_RETURN(const int64_t value,
                      ParseNumber(name, text, 0, std::numeric_limits<uint32_t>::max()));
  *to = {Change::kSet, static_cast<uint32_t>(value)};
  return {};
}

template <typename T>
void Apply(const Changed<T>& change, bool* is_set, T* value) {
  if (change.change == Change::kSet) *value = change.value;
  if (change.change != Change::kKeep) *is_set = change.change == Change::kSet;
}

}  // namespace

Status SetLevels(const std::vector<std::string_view>& names, TraceUpdate* update) {
  TraceLevel level;
  bool is_known = false;
  for (const std::string_view name : names) {
    if (name == "OFF") {
      if (names.size() > 1) {
        return InvalidArgument("Expect only one trace level 'OFF' is specified");
      }
      is_known = true;
    }
    level.timestamps |= name == "TIMESTAMPS";
    level.tensors |= name == "TENSORS";
  }
  // Unknown names alone change nothing.
  if (is_known || !level.is_off()) update->level = {Change::kSet, level};
  return {};
}

Status SetRate(std::string_view text, TraceUpdate* update) {
  return SetUint32("trace_rate", text, &update->rate);
}

Status SetCount(std::string_view text, TraceUpdate* update) {
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max();
  int64_t low = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), low);
  if (error == std::errc() && end == text.data() + text.size() && low < -1) {
    return InvalidArgument("Unable to parse 'trace_count'. Expecting value >= -1, got: " +
                           std::string(text));
  }
  PT_ASSIGN_OR_RETURN(const int64_t value, ParseNumber("trace_count", text, -1, kMax));
  update->count = {Change::kSet, static_cast<int32_t>(value)};
  return {};
}

Status SetLogFrequency(std::string_view text, TraceUpdate* update) {
  return SetUint32("log_frequency", text, &update->log_frequency);
}

Status RefuseFile() {
  return Unsupported("trace file location can not be updated through network protocol");
}

std::vector<std::string_view> LevelNames(TraceLevel level) {
  if (level.is_off()) return {"OFF"};
  std::vector<std::string_view> names;
  if (level.timestamps) names.emplace_back("TIMESTAMPS");
  if (level.tensors) names.emplace_back("TENSORS");
  return names;
}

TraceSettings::TraceSettings(const TraceOptions& options)
    : defaults_(options.values),
      has_target_(options.mode == TraceMode::kOpenTelemetry ? options.can_export
                                                            : !options.file.empty()) {
  MutexLock lock(&mu_);
  global_.values = defaults_;
  RefreshLocked();
}

TraceValues TraceSettings::Get(std::string_view model) const {
  MutexLock lock(&mu_);
  const auto at = models_.find(model);
  return model.empty() || at == models_.end() ? global_.values : at->second.values;
}

TraceSettings::Setting TraceSettings::Merge(const TraceValues& behind, const Setting& now,
                                            const TraceUpdate& update) {
  Setting next = now;
  // A setting is made anew: its requests are counted from here.
  next.requests = 0;
  next.series = std::make_shared<TraceSeries>();
  Apply(update.level, &next.has_level, &next.values.level);
  Apply(update.rate, &next.has_rate, &next.values.rate);
  Apply(update.count, &next.has_count, &next.values.count);
  Apply(update.log_frequency, &next.has_log_frequency, &next.values.log_frequency);
  if (!next.has_level) next.values.level = behind.level;
  if (!next.has_rate) next.values.rate = behind.rate;
  if (!next.has_count) next.values.count = behind.count;
  if (!next.has_log_frequency) next.values.log_frequency = behind.log_frequency;
  return next;
}

Status TraceSettings::Check(const TraceValues& values) const {
  if (values.level.is_off()) return {};
  std::string reason;
  if (values.rate == 0) {
    reason = "sample rate must be non-zero";
  } else if (!has_target_) {
    reason = "trace file name is not given";
  } else if (values.count != 0) {
    return {};
  }
  return InvalidArgument("Attempting to set invalid trace setting :" + reason);
}

Status TraceSettings::UpdateModelLocked(const std::string& model, const TraceUpdate& update) {
  const auto at = models_.find(model);
  Setting next = Merge(global_.values, at == models_.end() ? Setting() : at->second, update);
  PT_RETURN_IF_ERROR(Check(next.values));
  const bool follows =
      !next.has_level && !next.has_rate && !next.has_count && !next.has_log_frequency;
  if (follows) {
    models_.erase(model);
  } else {
    models_.insert_or_assign(model, std::move(next));
  }
  return {};
}

Status TraceSettings::Update(const std::string& model, const TraceUpdate& update) {
  MutexLock lock(&mu_);
  if (!model.empty()) {
    PT_RETURN_IF_ERROR(UpdateModelLocked(model, update));
  } else {
    Setting next = Merge(defaults_, global_, update);
    PT_RETURN_IF_ERROR(Check(next.values));
    global_ = std::move(next);
    for (auto& [name, setting] : models_) setting = Merge(global_.values, setting, {});
  }
  RefreshLocked();
  return {};
}

void TraceSettings::RefreshLocked() {
  const auto traces = [](const TraceValues& values) { return !values.level.is_off(); };
  bool is_on = traces(global_.values);
  for (const auto& [name, setting] : models_) is_on |= traces(setting.values);
  is_on_.store(is_on && has_target_, std::memory_order_relaxed);
}

std::optional<TraceSettings::Sample> TraceSettings::Take(std::string_view model, bool forced) {
  MutexLock lock(&mu_);
  const auto at = models_.find(model);
  Setting& setting = at == models_.end() ? global_ : at->second;
  TraceValues& values = setting.values;
  if (values.level.is_off()) return std::nullopt;
  bool is_hit = false;
  if (values.rate != 0 && values.count != 0) {
    is_hit = ++setting.requests % values.rate == 0;
    if (is_hit && values.count > 0) {
      --values.count;
      if (values.count == 0) setting.series->is_full.store(true);
    }
  }
  if (!is_hit && !forced) return std::nullopt;
  setting.series->open.fetch_add(1);
  return Sample{values.level, values.log_frequency, setting.series};
}

}  // namespace pt::api
