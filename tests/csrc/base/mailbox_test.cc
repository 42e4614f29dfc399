#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/function_ref.h"
#include "base/snapshot.h"

namespace pt {
namespace {

TEST(MailboxTest, TakesInOrderAndAtOnce) {
  Mailbox<int> box;
  EXPECT_FALSE(box.Post(1));
  EXPECT_FALSE(box.Post(2));
  std::vector<int> items = {99};
  box.TakeAll(&items);
  EXPECT_EQ(items, (std::vector<int>{1, 2}));
  box.TakeAll(&items);
  EXPECT_TRUE(items.empty());
}

TEST(MailboxTest, WakesASleeperOnce) {
  Mailbox<int> box;
  ASSERT_TRUE(box.BeginSleep());
  EXPECT_TRUE(box.Post(1));
  EXPECT_FALSE(box.Post(2));
  EXPECT_FALSE(box.BeginSleep()) << "something waits";
  std::vector<int> items;
  box.TakeAll(&items);
  ASSERT_TRUE(box.BeginSleep());
  box.EndSleep();
  EXPECT_FALSE(box.Post(3)) << "it is awake again";
}

TEST(SnapshotTest, ReadersKeepWhatTheyGot) {
  Snapshot<std::string> snapshot("old");
  const auto before = snapshot.Get();
  snapshot.Publish("new");
  EXPECT_EQ(*before, "old");
  EXPECT_EQ(*snapshot.Get(), "new");
}

TEST(FunctionRefTest, CallsWhatItBorrows) {
  int calls = 0;
  const auto add = [&calls](int n) { return calls += n; };
  const FunctionRef<int(int)> borrowed = add;
  EXPECT_EQ(borrowed(2), 2);
  EXPECT_EQ(borrowed(3), 5);
}

}  // namespace
}  // namespace pt
