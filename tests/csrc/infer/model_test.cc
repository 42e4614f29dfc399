#include "infer/model.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt {
namespace {

using testing::FakeScheduler;
using testing::SchedulerLog;

TEST(ModelTest, HandlesPinTheVersion) {
  Model model(testing::NamedConfig("m", 3), 1);
  EXPECT_EQ(model.version_text(), "3");
  int drained = 0;
  ModelHandle first = model.Acquire();
  ASSERT_TRUE(first);
  model.Drain([&] { ++drained; });
  EXPECT_FALSE(model.Acquire());
  ModelHandle second = first.Share();
  first = ModelHandle();
  EXPECT_EQ(drained, 0);
  second = ModelHandle();
  EXPECT_EQ(drained, 1);
}

TEST(ModelTest, AMovedHandleLeavesOnce) {
  Model model(testing::NamedConfig("m"), 1);
  {
    ModelHandle first = model.Acquire();
    const ModelHandle second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT: the moved-from state is documented
    EXPECT_EQ(model.users(), 1);
  }
  EXPECT_EQ(model.users(), 0);
}

TEST(ModelTest, StartsAndStopsItsScheduler) {
  SchedulerLog log;
  Model model(testing::NamedConfig("m"), 1);
  EXPECT_EQ(model.Start().code(), Code::kInternal) << "nothing is attached yet";
  model.Attach(nullptr, std::make_unique<FakeScheduler>(&log));
  EXPECT_TRUE(model.Start().ok());
  model.Stop();
  EXPECT_EQ(log.starts, 1);
  EXPECT_EQ(log.stops, 1);
}

TEST(ModelConfigTest, FindsByNameAndCountsInstances) {
  ModelConfig config;
  config.inputs = {testing::Spec("A", DataType::kFp32, Shape{1}),
                   testing::Spec("B", DataType::kFp32, Shape{1})};
  EXPECT_EQ(config.FindInput("B"), 1);
  EXPECT_EQ(config.FindInput("C"), -1);
  EXPECT_EQ(config.FindOutput("A"), -1);
  EXPECT_EQ(config.instance_count(), 1) << "no group at all is one instance";
  config.instance_groups = {{"g", InstanceKind::kCpu, 3, {}}, {"h", InstanceKind::kGpu, 2, {0, 1}}};
  EXPECT_EQ(config.instance_count(), 7);
}

}  // namespace
}  // namespace pt
