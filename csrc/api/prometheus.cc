#include "api/prometheus.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "api/metric_text.h"
#include "infer/scheduler.h"
#include "infer/stats.h"

namespace pt::api {
namespace {

struct ModelSample {
  std::string labels;  // model="m",version="1"
  StatsSnapshot stats;
  int64_t pending = 0;
  bool is_cached = false;  // its configuration asks for the response cache
};

struct ModelFamily {
  std::string_view name;
  std::string_view type;
  std::string_view help;
  uint64_t (*value)(const ModelSample& sample);
  bool is_of_cache = false;  // only models with the response cache have it
};

constexpr std::string_view kFailures = "nv_inference_request_failure";
// In the order of FailureReason.
constexpr std::array<std::string_view, 4> kReasons = {"REJECTED", "CANCELED", "BACKEND", "OTHER"};

constexpr ModelFamily kModelFamilies[] = {
    {"nv_inference_request_success", "counter",
     "Number of successful inference requests, all batch sizes",
     [](const ModelSample& sample) { return sample.stats.success.count; }},
    {kFailures, "counter", "Number of failed inference requests, all batch sizes", nullptr},
    {"nv_inference_count", "counter",
     "Number of inferences performed (does not include cached requests)",
     [](const ModelSample& sample) { return sample.stats.inference_count; }},
    {"nv_inference_exec_count", "counter",
     "Number of model executions performed (does not include cached requests)",
     [](const ModelSample& sample) { return sample.stats.execution_count; }},
    {"nv_inference_request_duration_us", "counter",
     "Cumulative inference request duration in microseconds (includes cached requests)",
     [](const ModelSample& sample) { return sample.stats.request_us; }},
    {"nv_inference_queue_duration_us", "counter",
     "Cumulative inference queuing duration in microseconds (includes cached requests)",
     [](const ModelSample& sample) { return sample.stats.queue_us; }},
    {"nv_inference_compute_input_duration_us", "counter",
     "Cumulative compute input duration in microseconds (does not include cached requests)",
     [](const ModelSample& sample) { return sample.stats.compute_input_us; }},
    {"nv_inference_compute_infer_duration_us", "counter",
     "Cumulative compute inference duration in microseconds (does not include cached requests)",
     [](const ModelSample& sample) { return sample.stats.compute_infer_us; }},
    {"nv_inference_compute_output_duration_us", "counter",
     "Cumulative inference compute output duration in microseconds (does not include cached "
     "requests)",
     [](const ModelSample& sample) { return sample.stats.compute_output_us; }},
    {"nv_inference_pending_request_count", "gauge",
     "Instantaneous number of pending requests awaiting execution per-model.",
     [](const ModelSample& sample) { return static_cast<uint64_t>(sample.pending); }},
    {"nv_cache_num_hits_per_model", "counter", "Number of cache hits per model",
     [](const ModelSample& sample) { return sample.stats.cache_hit.count; }, true},
    {"nv_cache_num_misses_per_model", "counter", "Number of cache misses per model",
     [](const ModelSample& sample) { return sample.stats.cache_miss.count; }, true},
    {"nv_cache_hit_duration_per_model", "counter",
     "Total cache hit duration per model, in microseconds",
     [](const ModelSample& sample) { return sample.stats.cache_hit.ns / 1000; }, true},
    {"nv_cache_miss_duration_per_model", "counter",
     "Total cache miss (insert+lookup) duration per model, in microseconds",
     [](const ModelSample& sample) { return sample.stats.cache_miss.ns / 1000; }, true},
};

void AppendModelFamily(const ModelFamily& family, const std::vector<ModelSample>& samples,
                       std::string* text) {
  const auto has_it = [&family](const ModelSample& sample) {
    return !family.is_of_cache || sample.is_cached;
  };
  if (std::none_of(samples.begin(), samples.end(), has_it)) return;
  AppendHead(family.name, family.type, family.help, text);
  for (const ModelSample& sample : samples) {
    if (!has_it(sample)) continue;
    if (family.value != nullptr) {
      AppendSeries(family.name, sample.labels, std::to_string(family.value(sample)), text);
      continue;
    }
    for (size_t reason = 0; reason < kReasons.size(); ++reason) {
      // Labels stand in alphabetical order: model, reason, version.
      std::string labels = sample.labels;
      labels.insert(labels.rfind(",version="), ",reason=\"" + std::string(kReasons[reason]) + "\"");
      AppendSeries(family.name, labels, std::to_string(sample.stats.failures[reason]), text);
    }
  }
}

void AppendGauge(std::string_view name, std::string_view help, double value, std::string* text) {
  AppendHead(name, "gauge", help, text);
  AppendSeries(name, {}, NumberText(value), text);
}

void AppendHost(const HostSample& sample, std::string* text) {
  AppendGauge("nv_cpu_utilization", "CPU utilization rate [0.0 - 1.0]", sample.cpu_utilization,
              text);
  AppendGauge("nv_cpu_memory_total_bytes", "CPU total memory (RAM), in bytes",
              static_cast<double>(sample.memory_total_bytes), text);
  AppendGauge("nv_cpu_memory_used_bytes", "CPU used memory (RAM), in bytes",
              static_cast<double>(sample.memory_used_bytes), text);
}

// A tag `k` of the configuration is the label `_k`; what a label name can't have becomes a `_`.
std::string TagLabels(const ModelConfig& config) {
  std::map<std::string, std::string> labels;
  for (const auto& [key, value] : config.metric_tags) {
    std::string name = "_" + key;
    for (char& c : name) {
      const bool is_allowed =
          (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!is_allowed) c = '_';
    }
    labels.emplace(std::move(name), value);
  }
  std::string text;
  for (const auto& [name, value] : labels) text += name + "=\"" + EscapedLabel(value) + "\",";
  return text;
}

// In alphabetical order, where an underscore is before letters.
std::string ModelLabels(const Model& model, std::string_view space) {
  std::string labels = TagLabels(model.config()) + "model=\"" + EscapedLabel(model.name()) + "\",";
  if (!space.empty()) labels += "namespace=\"" + EscapedLabel(space) + "\",";
  return labels + "version=\"" + model.version_text() + "\"";
}

}  // namespace

std::string Prometheus::Text() const {
  std::vector<ModelSample> samples;
  repository_->ForEachReadyIn([&](Model& model, std::string_view space) {
    ModelSample& sample = samples.emplace_back();
    sample.labels = ModelLabels(model, space);
    sample.stats = model.stats().Snapshot();
    sample.pending = model.scheduler().queued();
    sample.is_cached = model.config().response_cache;
  });
  std::string text;
  for (const ModelFamily& family : kModelFamilies) AppendModelFamily(family, samples, &text);
  if (host_metrics_ == HostMetrics::kOn) {
    if (const std::optional<HostSample> host = host_usage_.Take()) AppendHost(*host, &text);
  }
  if (custom_ != nullptr) AppendCustomMetrics(custom_->Snapshot(), &text);
  for (const ExtraMetric& metric : extra_) {
    AppendHead(metric.name, metric.type == MetricType::kCounter ? "counter" : "gauge", metric.help,
               &text);
    AppendSeries(metric.name, {}, NumberText(metric.value()), &text);
  }
  return text;
}

}  // namespace pt::api
