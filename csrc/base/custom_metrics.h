// CustomMetrics: the metric families that models make for themselves.
//
// Families and series are shared: whoever names the same one gets the same one. Each is kept as
// long as an owner (a worker process) has a handle on it. Not the server's own metrics: those read
// their sources at each scrape.
//
// Thread rule: thread-safe. Owner rule: owned by whoever composes the server.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace pt {

enum class CustomMetricKind { kCounter, kGauge, kHistogram };

// Label names and values, in the order of names.
using MetricLabels = std::map<std::string, std::string>;

struct CustomSeriesSnapshot {
  MetricLabels labels;
  double value = 0;              // counters and gauges
  double sum = 0;                // histograms
  std::vector<double> bounds;    // histograms: upper bounds, ascending, without +Inf
  std::vector<uint64_t> counts;  // one more than bounds: the last is +Inf's; not cumulative
};

struct CustomFamilySnapshot {
  std::string name;
  std::string help;
  CustomMetricKind kind = CustomMetricKind::kCounter;
  std::vector<CustomSeriesSnapshot> series;
};

// What a worker collected for one series since its last update.
struct CustomMetricChange {
  bool is_set = false;  // `value` replaces (gauges), else it is added
  double value = 0;
  std::span<const uint64_t> bucket_counts;
  double sum = 0;
};

class CustomMetrics {
 public:
  // A family; the first help text stays. Errors: InvalidArgument for a name that is not allowed or
  // that has another kind.
  Result<uint64_t> OpenFamily(uint64_t owner, const std::string& name, const std::string& help,
                              CustomMetricKind kind) EXCLUDES(mu_);
  // A series of a family the owner has. `bounds`: for histograms and only for them. Errors:
  // NotFound for the family; InvalidArgument for labels or bounds that are not allowed, or bounds
  // other than those that the series has already; Unavailable when there are too many series.
  Result<uint64_t> OpenSeries(uint64_t owner, uint64_t family, MetricLabels labels,
                              std::vector<double> bounds) EXCLUDES(mu_);
  // Drop one handle. Unknown ones are ignored. A family without handles takes its series along.
  void CloseFamily(uint64_t owner, uint64_t family) EXCLUDES(mu_);
  void CloseSeries(uint64_t owner, uint64_t series) EXCLUDES(mu_);
  void CloseOwner(uint64_t owner) EXCLUDES(mu_);

  // Ignored when the owner doesn't have the series or the change doesn't fit its kind.
  void Apply(uint64_t owner, uint64_t series, const CustomMetricChange& change) EXCLUDES(mu_);
  // Errors: NotFound; InvalidArgument for a histogram.
  Result<double> Value(uint64_t owner, uint64_t series) const EXCLUDES(mu_);

  // By name, series by labels.
  std::vector<CustomFamilySnapshot> Snapshot() const EXCLUDES(mu_);

 private:
  using Handles = std::map<uint64_t, int64_t>;  // owner -> how many
  struct Series {
    uint64_t id = 0;
    Handles handles;
    CustomSeriesSnapshot now;  // without labels: they are the key
  };
  struct Family {
    uint64_t id = 0;
    std::string help;
    CustomMetricKind kind = CustomMetricKind::kCounter;
    Handles handles;
    std::map<MetricLabels, Series> series;
  };
  struct SeriesPlace {
    std::string family;
    MetricLabels labels;
  };

  Family* FindFamilyLocked(uint64_t id) REQUIRES(mu_);
  const Series* FindSeriesLocked(uint64_t owner, uint64_t id, const Family** family) const
      REQUIRES(mu_);
  void EraseFamilyLocked(std::map<std::string, Family>::iterator at) REQUIRES(mu_);

  mutable Mutex mu_;
  uint64_t next_id_ GUARDED_BY(mu_) = 1;
  std::map<std::string, Family> families_ GUARDED_BY(mu_);
  std::map<uint64_t, std::string> family_names_ GUARDED_BY(mu_);
  std::map<uint64_t, SeriesPlace> places_ GUARDED_BY(mu_);
};

}  // namespace pt
