// Which instances stay, come and go when a model's instance groups change.
#include "infer/instance_places.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pt {
namespace {

InstanceGroup Group(std::string name, int count, std::vector<int> gpus = {}) {
  InstanceGroup group;
  group.name = std::move(name);
  group.count = count;
  group.kind = gpus.empty() ? InstanceKind::kCpu : InstanceKind::kGpu;
  group.gpus = std::move(gpus);
  return group;
}

ModelConfig With(std::vector<InstanceGroup> groups) {
  ModelConfig config;
  config.name = "m";
  config.instance_groups = std::move(groups);
  return config;
}

using Ordinals = std::vector<int>;

TEST(InstanceRosterTest, AddsWhatIsMissingUnderNewNumbers) {
  InstanceRoster roster(With({Group("a", 1)}));
  InstanceChange change = roster.Plan(With({Group("a", 3)}));
  EXPECT_EQ(change.added, (Ordinals{1, 2}));
  EXPECT_EQ(change.removed, Ordinals{});
  EXPECT_EQ(roster.Find(2)->name, "a_2");
  change = roster.Plan(With({Group("a", 1)}));
  EXPECT_EQ(change.removed, (Ordinals{1, 2}));
  for (const int ordinal : change.removed) roster.Forget(ordinal);
  EXPECT_EQ(roster.Plan(With({Group("a", 2)})).added, Ordinals{3});
}

TEST(InstanceRosterTest, DoesNotCountThoseThatAreLeaving) {
  InstanceRoster roster(With({Group("a", 2)}));
  EXPECT_EQ(roster.Plan(With({Group("a", 1)})).removed, Ordinals{1});
  roster.Leave(1);
  const InstanceChange change = roster.Plan(With({Group("a", 3)}));
  EXPECT_EQ(change.added, (Ordinals{2, 3}));
  EXPECT_EQ(change.removed, Ordinals{});
  EXPECT_EQ(roster.Find(2)->name, "a_1");
  roster.Forget(1);
  EXPECT_EQ(roster.Plan(With({Group("a", 1)})).removed, (Ordinals{2, 3}));
}

TEST(InstanceRosterTest, KeepsThoseOfTheSameKindWhateverTheyAreCalled) {
  InstanceRoster roster(With({Group("a", 2)}));
  const InstanceChange change = roster.Plan(With({Group("b", 1), Group("a", 1)}));
  EXPECT_EQ(change.added, Ordinals{});
  EXPECT_EQ(change.removed, Ordinals{});
}

TEST(InstanceRosterTest, KeepsTheOneOfTheSameNameFirst) {
  InstanceRoster roster(With({Group("a", 1), Group("b", 1)}));
  const InstanceChange change = roster.Plan(With({Group("b", 1)}));
  EXPECT_EQ(change.removed, Ordinals{0});
}

TEST(InstanceRosterTest, DevicesAreNotExchanged) {
  InstanceRoster roster(With({Group("g", 1, {0, 1})}));
  const InstanceChange change = roster.Plan(With({Group("g", 2, {1})}));
  EXPECT_EQ(change.removed, Ordinals{0});
  EXPECT_EQ(change.added, Ordinals{2});
  EXPECT_EQ(roster.Find(2)->device, 1);
}

}  // namespace
}  // namespace pt
