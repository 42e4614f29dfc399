#include "api/prometheus.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt::api {
namespace {

using testing::FakeScheduler;
using testing::NamedConfig;
using testing::SchedulerLog;

TEST(Prometheus, ShowsTheTagsOfAModel) {
  SchedulerLog log;
  repo::Repository repository([&log](Model*, Backend*) -> Result<std::unique_ptr<Scheduler>> {
    return std::unique_ptr<Scheduler>(std::make_unique<FakeScheduler>(&log));
  });
  ModelConfig config = NamedConfig("m");
  config.metric_tags = {{"team", "vision"}, {"a-b", "1"}, {"a.b", "2"}, {"q", "say \"hi\"\n"}};
  ASSERT_TRUE(repository.AddModel(std::move(config), nullptr).ok());
  const std::string text = Prometheus(&repository, HostMetrics::kOff).Text();
  EXPECT_NE(text.find("nv_inference_count{_a_b=\"1\",_q=\"say \\\"hi\\\"\\n\",_team=\"vision\","
                      "model=\"m\",version=\"1\"} 0\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("model=\"m\",reason=\"BACKEND\",version=\"1\"} 0\n"), std::string::npos)
      << text;
}

}  // namespace
}  // namespace pt::api
