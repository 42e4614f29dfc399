#include "server/repository_metrics.h"

#include <cstdint>
#include <string_view>

namespace pt::server {
namespace {

struct Row {
  std::string_view name;
  std::string_view help;
  api::MetricType type;
  uint64_t repo::ControlMetrics::* value;
};

constexpr auto kCounter = api::MetricType::kCounter;
constexpr auto kGauge = api::MetricType::kGauge;

constexpr Row kRows[] = {
    {"pytriton_model_loads", "Successful loads of models", kCounter, &repo::ControlMetrics::loads},
    {"pytriton_model_load_failures", "Failed loads of models", kCounter,
     &repo::ControlMetrics::failed_loads},
    {"pytriton_model_loads_discarded", "Loads thrown away because files changed meanwhile",
     kCounter, &repo::ControlMetrics::discarded_loads},
    {"pytriton_model_unloads", "Unloads of models that have ended", kCounter,
     &repo::ControlMetrics::unloads},
    {"pytriton_repositories_frozen", "Model repositories that can't be read now", kGauge,
     &repo::ControlMetrics::frozen_repositories},
    {"pytriton_unload_resident_before_bytes",
     "Resident memory of server and workers before the last unload", kGauge,
     &repo::ControlMetrics::unload_resident_before},
    {"pytriton_unload_resident_after_bytes",
     "Resident memory of server and workers after the last unload", kGauge,
     &repo::ControlMetrics::unload_resident_after},
};

}  // namespace

void AddRepositoryMetrics(const repo::Repository& repository, api::Prometheus* prometheus) {
  const repo::ModelControl* control = repository.control();
  if (control == nullptr) return;
  for (const Row& row : kRows) {
    prometheus->Add(
        {std::string(row.name), std::string(row.help), row.type,
         [control, value = row.value] { return static_cast<double>(control->metrics().*value); }});
  }
}

}  // namespace pt::server
