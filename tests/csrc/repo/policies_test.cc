// The deciders of this room, as tables.
#include <gtest/gtest.h>

#include "repo/poll_policy.h"
#include "repo/transition_policy.h"

namespace pt::repo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Versions = std::vector<int64_t>;

Fingerprint Tree(uint64_t shared, std::map<int64_t, uint64_t> versions) {
  Fingerprint tree;
  tree.shared = shared;
  tree.versions = std::move(versions);
  return tree;
}

struct PlanRow {
  const char* what;
  VersionsServed served;
  VersionsFound found;
  VersionPlan plan;
};

TEST(TransitionPolicyTest, TouchesOnlyWhatChanged) {
  const Fingerprint tree = Tree(1, {{1, 10}, {2, 20}});
  const PlanRow rows[] = {
      {"first load", {}, {{1, 2}, tree, true}, {{1, 2}, {}, {}}},
      {"nothing changed", {{1, 2}, tree}, {{1, 2}, tree, false}, {{}, {1, 2}, {}}},
      {"one version's files",
       {{1, 2}, tree},
       {{1, 2}, Tree(1, {{1, 10}, {2, 21}}), false},
       {{2}, {1}, {}}},
      {"shared files", {{1, 2}, tree}, {{1, 2}, Tree(9, tree.versions), false}, {{1, 2}, {}, {}}},
      {"configuration", {{1, 2}, tree}, {{1, 2}, tree, true}, {{1, 2}, {}, {}}},
      {"new version beside",
       {{1}, tree},
       {{1, 3}, Tree(1, {{1, 10}, {3, 30}}), false},
       {{3}, {1}, {}}},
      {"latest flips", {{1}, tree}, {{2}, tree, false}, {{2}, {}, {1}}},
      {"version removed", {{1, 2}, tree}, {{1}, Tree(1, {{1, 10}}), false}, {{}, {1}, {2}}},
  };
  for (const PlanRow& row : rows) {
    EXPECT_EQ(PlanVersions(row.served, row.found), row.plan) << row.what;
  }
}

class PollPolicyTest : public ::testing::Test {
 protected:
  PollAction See(const Fingerprint& tree, milliseconds at, bool is_old = false) {
    decision_ = policy_.Seen(tree, is_old, start_ + at);
    return decision_.action;
  }
  PollAction Miss(milliseconds at) {
    decision_ = policy_.Missing(start_ + at);
    return decision_.action;
  }

  const TimePoint start_ = TimePoint(seconds(1000));
  const Fingerprint a_ = Tree(1, {});
  const Fingerprint b_ = Tree(2, {});
  PollPolicy policy_{{seconds(1), seconds(4), seconds(10)}};
  PollDecision decision_;
};

TEST_F(PollPolicyTest, LoadsOnlyWhatWasStillForTheWindow) {
  EXPECT_EQ(See(a_, milliseconds(0)), PollAction::kNothing);
  EXPECT_EQ(decision_.look_again, start_ + seconds(1));
  EXPECT_EQ(See(b_, milliseconds(900)), PollAction::kNothing) << "still being written";
  EXPECT_EQ(See(b_, milliseconds(1800)), PollAction::kNothing);
  EXPECT_EQ(See(b_, milliseconds(1900)), PollAction::kLoad);
  EXPECT_EQ(policy_.settled(), b_);
  EXPECT_EQ(See(b_, milliseconds(9000)), PollAction::kNothing) << "the load is under way";
  policy_.Loaded(b_);
  EXPECT_EQ(See(b_, milliseconds(9100)), PollAction::kNothing) << "it is served";
  EXPECT_TRUE(policy_.is_applied());
}

TEST_F(PollPolicyTest, AnOldTreeNeedsNoWindowAtFirstSight) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Loaded(a_);
  EXPECT_EQ(See(b_, milliseconds(10), true), PollAction::kNothing) << "later on it does";
}

TEST_F(PollPolicyTest, AChangeDuringALoadIsLoadedAfterwards) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  EXPECT_EQ(See(b_, milliseconds(100)), PollAction::kNothing);
  policy_.Loaded(a_);
  EXPECT_EQ(See(b_, milliseconds(1100)), PollAction::kLoad);
}

TEST_F(PollPolicyTest, AChangedTreeBeginsAnew) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Changed();
  EXPECT_EQ(See(a_, milliseconds(100)), PollAction::kNothing);
  EXPECT_EQ(See(a_, milliseconds(1100)), PollAction::kLoad);
}

TEST_F(PollPolicyTest, TriesBrokenContentAgainWithBackOff) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Failed(a_, start_);
  EXPECT_EQ(See(a_, milliseconds(3999)), PollAction::kNothing);
  EXPECT_EQ(decision_.look_again, start_ + seconds(4));
  EXPECT_EQ(See(a_, milliseconds(4000)), PollAction::kLoad);
  policy_.Failed(a_, start_ + seconds(4));
  EXPECT_EQ(See(a_, milliseconds(11999)), PollAction::kNothing);
  EXPECT_EQ(See(a_, milliseconds(12000)), PollAction::kLoad);
  policy_.Failed(a_, start_ + seconds(12));
  EXPECT_EQ(See(a_, milliseconds(22000)), PollAction::kLoad) << "at most ten seconds";
}

TEST_F(PollPolicyTest, NewContentDoesNotWaitForTheBackOff) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Failed(a_, start_);
  EXPECT_EQ(See(b_, milliseconds(100)), PollAction::kNothing);
  EXPECT_EQ(See(b_, milliseconds(1100)), PollAction::kLoad);
}

TEST_F(PollPolicyTest, UnloadsWhatStaysAway) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Loaded(a_);
  EXPECT_EQ(Miss(milliseconds(100)), PollAction::kNothing) << "perhaps it is being replaced";
  EXPECT_EQ(Miss(milliseconds(1100)), PollAction::kUnload);
  EXPECT_EQ(Miss(milliseconds(2200)), PollAction::kNothing) << "it is under way";
}

TEST_F(PollPolicyTest, AReplacedDirectoryIsNeverUnloaded) {
  EXPECT_EQ(See(a_, milliseconds(0), true), PollAction::kLoad);
  policy_.Loaded(a_);
  EXPECT_EQ(Miss(milliseconds(100)), PollAction::kNothing);
  EXPECT_EQ(See(b_, milliseconds(200)), PollAction::kNothing);
  EXPECT_EQ(See(b_, milliseconds(1200)), PollAction::kLoad);
}

}  // namespace
}  // namespace pt::repo
