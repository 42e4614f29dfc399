#include "server/repository_metrics.h"

#include <cstdint>
#include <string_view>

namespace pt::server {
namespace {

using api::MetricType;

struct ControlMetric {
  std::string_view name;
  std::string_view help;
  MetricType type;
  uint64_t repo::ControlMetrics::* value;
};

constexpr ControlMetric kControlMetrics[] = {
    {"pytriton_model_loads", "Successful loads of models", MetricType::kCounter,
     &repo::ControlMetrics::loads},
    {"pytriton_model_load_failures", "Failed loads of models", MetricType::kCounter,
     &repo::ControlMetrics::failed_loads},
    {"pytriton_model_loads_discarded", "Loads thrown away because files changed meanwhile",
     MetricType::kCounter, &repo::ControlMetrics::discarded_loads},
    {"pytriton_model_unloads", "Unloads of models that have ended", MetricType::kCounter,
     &repo::ControlMetrics::unloads},
    {"pytriton_repositories_frozen", "Model repositories that can't be read now",
     MetricType::kGauge, &repo::ControlMetrics::frozen_repositories},
    {"pytriton_unload_resident_before_bytes",
     "Resident memory of server and workers before the last unload", MetricType::kGauge,
     &repo::ControlMetrics::unload_resident_before},
    {"pytriton_unload_resident_after_bytes",
     "Resident memory of server and workers after the last unload", MetricType::kGauge,
     &repo::ControlMetrics::unload_resident_after},
};

}  // namespace

void AddRepositoryMetrics(const repo::Repository& repository, api::Prometheus* prometheus) {
  const repo::ModelControl* control = repository.control();
  if (control == nullptr) return;
  for (const ControlMetric& row : kControlMetrics) {
    prometheus->Add(
        {std::string(row.name), std::string(row.help), row.type,
         [control, value = row.value] { return static_cast<double>(control->metrics().*value); }});
  }
}

}  // namespace pt::server
