#include "base/custom_metrics.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace pt {
namespace {

// A model that makes a series a request must not take the server's memory.
constexpr size_t kMaxSeries = 100'000;
constexpr size_t kMaxBounds = 1000;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Exposition format 0.0.4: [a-zA-Z_:][a-zA-Z0-9_:]*, labels without the colon.
bool IsName(std::string_view name, bool allows_colon) {
  const auto fits = [&](char c) { return IsLetter(c) || (allows_colon && c == ':'); };
  return !name.empty() && fits(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return fits(c) || IsDigit(c); });
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

Status CheckLabels(const MetricLabels& labels) {
  for (const auto& [name, value] : labels) {
    if (!IsName(name, false) || StartsWith(name, "__") || name == "le") {
      return InvalidArgument("Invalid label name '" + name + "'");
    }
  }
  return {};
}

Status CheckBounds(CustomMetricKind kind, const std::vector<double>& bounds) {
  if (kind != CustomMetricKind::kHistogram) {
    return bounds.empty() ? Status() : InvalidArgument("Unexpected buckets found.");
  }
  if (bounds.size() > kMaxBounds) {
    return InvalidArgument("expected at most " + std::to_string(kMaxBounds) + " buckets, got " +
                           std::to_string(bounds.size()));
  }
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i]) || (i > 0 && bounds[i - 1] >= bounds[i])) {
      return InvalidArgument("expected finite buckets in ascending order");
    }
  }
  return {};
}

// False: the owner had no handle.
bool DropHandle(std::map<uint64_t, int64_t>* handles, uint64_t owner) {
  const auto at = handles->find(owner);
  if (at == handles->end()) return false;
  if (--at->second == 0) handles->erase(at);
  return true;
}

}  // namespace

Result<uint64_t> CustomMetrics::OpenFamily(uint64_t owner, const std::string& name,
                                           const std::string& help, CustomMetricKind kind) {
  if (!IsName(name, true)) return InvalidArgument("Invalid metric name");
  if (StartsWith(name, "nv_inference_") || StartsWith(name, "pytriton_")) {
    return InvalidArgument("Invalid metric name: '" + name + "' is one of the server's own");
  }
  const MutexLock lock(&mu_);
  Family& family = families_[name];
  if (family.id == 0) {
    family.id = next_id_++;
    family.help = help;
    family.kind = kind;
    family_names_[family.id] = name;
  } else if (family.kind != kind) {
    return InvalidArgument("Family name already exists with different type");
  }
  ++family.handles[owner];
  return family.id;
}

Result<uint64_t> CustomMetrics::OpenSeries(uint64_t owner, uint64_t family_id, MetricLabels labels,
                                           std::vector<double> bounds) {
  PT_RETURN_IF_ERROR(CheckLabels(labels));
  const MutexLock lock(&mu_);
  Family* const family = FindFamilyLocked(family_id);
  if (family == nullptr || family->handles.count(owner) == 0) {
    return NotFound("expected a metric family that exists, got number " +
                    std::to_string(family_id));
  }
  PT_RETURN_IF_ERROR(CheckBounds(family->kind, bounds));
  const auto known = family->series.find(labels);
  if (known != family->series.end()) {
    if (known->second.now.bounds != bounds) {
      return InvalidArgument("expected the buckets that the metric has already");
    }
    ++known->second.handles[owner];
    return known->second.id;
  }
  if (places_.size() >= kMaxSeries) {
    return Unavailable("expected at most " + std::to_string(kMaxSeries) + " custom metrics");
  }
  Series series;
  series.id = next_id_++;
  series.handles[owner] = 1;
  if (family->kind == CustomMetricKind::kHistogram) series.now.counts.resize(bounds.size() + 1);
  series.now.bounds = std::move(bounds);
  const uint64_t id = series.id;
  places_[id] = {family_names_[family_id], labels};
  family->series.emplace(std::move(labels), std::move(series));
  return id;
}

void CustomMetrics::CloseFamily(uint64_t owner, uint64_t family) {
  const MutexLock lock(&mu_);
  const auto name = family_names_.find(family);
  if (name == family_names_.end()) return;
  const auto at = families_.find(name->second);
  if (DropHandle(&at->second.handles, owner) && at->second.handles.empty()) EraseFamilyLocked(at);
}

void CustomMetrics::CloseSeries(uint64_t owner, uint64_t series) {
  const MutexLock lock(&mu_);
  const auto place = places_.find(series);
  if (place == places_.end()) return;
  Family& family = families_[place->second.family];
  const auto at = family.series.find(place->second.labels);
  if (!DropHandle(&at->second.handles, owner) || !at->second.handles.empty()) return;
  family.series.erase(at);
  places_.erase(place);
}

void CustomMetrics::CloseOwner(uint64_t owner) {
  const MutexLock lock(&mu_);
  for (auto family = families_.begin(); family != families_.end();) {
    for (auto at = family->second.series.begin(); at != family->second.series.end();) {
      Series& series = at->second;
      if (series.handles.erase(owner) > 0 && series.handles.empty()) {
        places_.erase(series.id);
        at = family->second.series.erase(at);
      } else {
        ++at;
      }
    }
    const auto here = family++;
    if (here->second.handles.erase(owner) > 0 && here->second.handles.empty()) {
      EraseFamilyLocked(here);
    }
  }
}

void CustomMetrics::Apply(uint64_t owner, uint64_t series_id, const CustomMetricChange& change) {
  const MutexLock lock(&mu_);
  const Family* family = nullptr;
  const Series* const found = FindSeriesLocked(owner, series_id, &family);
  if (found == nullptr) return;
  const auto place = places_.find(series_id);
  CustomSeriesSnapshot& now =
      families_[place->second.family].series[place->second.labels].now;  // the same, to change it
  switch (family->kind) {
    case CustomMetricKind::kCounter:
      if (!change.is_set && change.value >= 0) now.value += change.value;
      return;
    case CustomMetricKind::kGauge:
      now.value = change.is_set ? change.value : now.value + change.value;
      return;
    case CustomMetricKind::kHistogram:
      if (change.bucket_counts.size() != now.counts.size()) return;
      for (size_t i = 0; i < now.counts.size(); ++i) now.counts[i] += change.bucket_counts[i];
      now.sum += change.sum;
  }
}

Result<double> CustomMetrics::Value(uint64_t owner, uint64_t series_id) const {
  const MutexLock lock(&mu_);
  const Family* family = nullptr;
  const Series* const series = FindSeriesLocked(owner, series_id, &family);
  if (series == nullptr) {
    return NotFound("expected a metric that exists, got number " + std::to_string(series_id));
  }
  if (family->kind == CustomMetricKind::kHistogram) {
    return InvalidArgument("TRITONSERVER_METRIC_KIND_HISTOGRAM does not support Value");
  }
  return series->now.value;
}

std::vector<CustomFamilySnapshot> CustomMetrics::Snapshot() const {
  const MutexLock lock(&mu_);
  std::vector<CustomFamilySnapshot> result;
  result.reserve(families_.size());
  for (const auto& [name, family] : families_) {
    CustomFamilySnapshot& to = result.emplace_back();
    to.name = name;
    to.help = family.help;
    to.kind = family.kind;
    for (const auto& [labels, series] : family.series) {
      to.series.push_back(series.now);
      to.series.back().labels = labels;
    }
  }
  return result;
}

CustomMetrics::Family* CustomMetrics::FindFamilyLocked(uint64_t id) {
  const auto name = family_names_.find(id);
  return name == family_names_.end() ? nullptr : &families_[name->second];
}

const CustomMetrics::Series* CustomMetrics::FindSeriesLocked(uint64_t owner, uint64_t id,
                                                             const Family** family) const {
  const auto place = places_.find(id);
  if (place == places_.end()) return nullptr;
  const auto in_family = families_.find(place->second.family);
  *family = &in_family->second;
  const auto at = in_family->second.series.find(place->second.labels);
  return at->second.handles.count(owner) > 0 ? &at->second : nullptr;
}

void CustomMetrics::EraseFamilyLocked(std::map<std::string, Family>::iterator at) {
  for (const auto& [labels, series] : at->second.series) places_.erase(series.id);
  family_names_.erase(at->second.id);
  families_.erase(at);
}

}  // namespace pt
