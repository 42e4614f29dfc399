#include "base/custom_metrics.h"

#include <gtest/gtest.h>

namespace pt {
namespace {

class CustomMetricsTest : public ::testing::Test {
 protected:
  uint64_t Family(uint64_t owner, const char* name, CustomMetricKind kind) {
    return *metrics.OpenFamily(owner, name, "help", kind);
  }
  CustomMetrics metrics;
};

TEST_F(CustomMetricsTest, OwnersShareSeriesUntilTheLastGoes) {
  const uint64_t family = Family(1, "c", CustomMetricKind::kCounter);
  EXPECT_EQ(Family(2, "c", CustomMetricKind::kCounter), family);
  const uint64_t series = *metrics.OpenSeries(1, family, {{"a", "b"}}, {});
  EXPECT_EQ(*metrics.OpenSeries(2, family, {{"a", "b"}}, {}), series);
  metrics.Apply(1, series, {false, 2, {}, 0});
  metrics.Apply(2, series, {false, 3, {}, 0});
  metrics.CloseOwner(1);
  EXPECT_EQ(*metrics.Value(2, series), 5);
  EXPECT_FALSE(metrics.Value(1, series).ok());
  metrics.CloseSeries(2, series);
  EXPECT_TRUE(metrics.Snapshot()[0].series.empty());
  metrics.CloseFamily(2, family);
  EXPECT_TRUE(metrics.Snapshot().empty());
}

TEST_F(CustomMetricsTest, RefusesOtherKindsAndBadNames) {
  Family(1, "c", CustomMetricKind::kCounter);
  EXPECT_EQ(metrics.OpenFamily(1, "c", "", CustomMetricKind::kGauge).status().message(),
            "Family name already exists with different type");
  for (const char* name : {"", "1a", "a b", "nv_inference_count", "a\n"}) {
    EXPECT_FALSE(metrics.OpenFamily(1, name, "", CustomMetricKind::kGauge).ok()) << name;
  }
  const uint64_t family = Family(1, "h", CustomMetricKind::kHistogram);
  EXPECT_FALSE(metrics.OpenSeries(1, family, {}, {3, 1, 2}).ok());
  EXPECT_FALSE(metrics.OpenSeries(1, family, {{"le", "1"}}, {1}).ok());
  EXPECT_FALSE(metrics.OpenSeries(2, family, {}, {1}).ok());
}

TEST_F(CustomMetricsTest, ChangesThatDoNotFitAreIgnored) {
  const uint64_t counter =
      *metrics.OpenSeries(1, Family(1, "c", CustomMetricKind::kCounter), {}, {});
  metrics.Apply(1, counter, {true, 9, {}, 0});
  metrics.Apply(1, counter, {false, -1, {}, 0});
  metrics.Apply(2, counter, {false, 1, {}, 0});
  metrics.Apply(1, 77, {false, 1, {}, 0});
  EXPECT_EQ(*metrics.Value(1, counter), 0);
  const uint64_t histogram =
      *metrics.OpenSeries(1, Family(1, "h", CustomMetricKind::kHistogram), {}, {1, 2});
  const uint64_t counts[] = {1, 2, 3};
  metrics.Apply(1, histogram, {false, 0, std::span(counts).first(2), 1});
  metrics.Apply(1, histogram, {false, 0, counts, 7});
  const std::vector<CustomFamilySnapshot> now = metrics.Snapshot();
  EXPECT_EQ(now[1].series[0].counts, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(now[1].series[0].sum, 7);
}

TEST_F(CustomMetricsTest, GaugesAreSetThenAddedTo) {
  const uint64_t gauge = *metrics.OpenSeries(1, Family(1, "g", CustomMetricKind::kGauge), {}, {});
  metrics.Apply(1, gauge, {true, 5, {}, 0});
  metrics.Apply(1, gauge, {false, -7, {}, 0});
  EXPECT_EQ(*metrics.Value(1, gauge), -2);
}

}  // namespace
}  // namespace pt
