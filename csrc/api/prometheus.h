// Prometheus: the text of /metrics (exposition format 0.0.4) with Triton's families
// (spec/triton-frontend 5), and pytriton_ families that other rooms register.
//
// Thread rule: Text is thread-safe; Add before serving begins.
// Owner rule: borrows the repository; owned by server/.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/host_usage.h"
#include "base/custom_metrics.h"
#include "repo/repository.h"

namespace pt::api {

enum class MetricType { kCounter, kGauge };

// One series without labels, read at each scrape, from any loop.
struct ExtraMetric {
  std::string name;  // "pytriton_connections"
  std::string help;
  MetricType type = MetricType::kGauge;
  std::function<double()> value;
};

enum class HostMetrics { kOff, kOn };

class Prometheus {
 public:
  Prometheus(const repo::Repository* repository, HostMetrics host_metrics)
      : repository_(repository), host_metrics_(host_metrics) {}

  void Add(ExtraMetric metric) { extra_.push_back(std::move(metric)); }
  // Families that models make; borrowed.
  void AddCustom(const CustomMetrics* custom) { custom_ = custom; }
  std::string Text() const;

 private:
  const repo::Repository* const repository_;
  const HostMetrics host_metrics_;
  mutable HostUsage host_usage_;
  std::vector<ExtraMetric> extra_;
  const CustomMetrics* custom_ = nullptr;
};

}  // namespace pt::api
