#include "base/log_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace pt {
namespace {

LogLine MakeLine(std::string_view message) {
  return {std::chrono::system_clock::time_point{}, LogLevel::kWarning, "a.cc:1", "id", message};
}

std::vector<std::string> Messages(LogBatch* batch) {
  std::vector<std::string> messages;
  LogLine line;
  while (batch->Next(&line)) messages.emplace_back(line.message);
  return messages;
}

TEST(LogQueueTest, KeepsEveryPartOfALine) {
  LogQueue queue(10);
  queue.Push(MakeLine("hello"));
  LogBatch batch;
  ASSERT_TRUE(queue.Take(&batch));
  LogLine line;
  ASSERT_TRUE(batch.Next(&line));
  EXPECT_EQ(line.level, LogLevel::kWarning);
  EXPECT_EQ(line.where, "a.cc:1");
  EXPECT_EQ(line.request_id, "id");
  EXPECT_EQ(line.message, "hello");
  EXPECT_FALSE(batch.Next(&line));
}

TEST(LogQueueTest, DropsTheOldestAndCountsThem) {
  LogQueue queue(3);
  for (const char* message : {"1", "2", "3", "4", "5"}) queue.Push(MakeLine(message));
  LogBatch batch;
  ASSERT_TRUE(queue.Take(&batch));
  EXPECT_EQ(batch.dropped(), 2u);
  EXPECT_EQ(Messages(&batch), (std::vector<std::string>{"3", "4", "5"}));
  queue.Push(MakeLine("6"));
  ASSERT_TRUE(queue.Take(&batch));
  EXPECT_EQ(batch.dropped(), 0u);
  EXPECT_EQ(Messages(&batch), std::vector<std::string>{"6"});
}

TEST(LogQueueTest, BoundsMemoryOfLongLines) {
  LogQueue queue(100000);
  const std::string longest(1 << 20, 'x');
  for (int i = 0; i < 1000; ++i) queue.Push(MakeLine(longest));
  LogBatch batch;
  ASSERT_TRUE(queue.Take(&batch));
  EXPECT_GT(batch.dropped(), 800u);
  const std::vector<std::string> messages = Messages(&batch);
  EXPECT_EQ(batch.dropped() + messages.size(), 1000u);
  EXPECT_EQ(messages.front().size(), size_t{64} << 10);
}

TEST(LogQueueTest, GivesWhatIsLeftAfterClose) {
  LogQueue queue(10);
  queue.Push(MakeLine("last"));
  queue.Close();
  LogBatch batch;
  ASSERT_TRUE(queue.Take(&batch));
  EXPECT_EQ(Messages(&batch), std::vector<std::string>{"last"});
  EXPECT_FALSE(queue.Take(&batch));
}

TEST(LogQueueTest, FlushWaitsForTheWriter) {
  LogQueue queue(1000);
  std::atomic<int> written{0};
  std::thread writer([&] {
    LogBatch batch;
    while (queue.Take(&batch)) {
      written += static_cast<int>(Messages(&batch).size());
      queue.MarkWritten(batch);
    }
  });
  for (int i = 1; i <= 20; ++i) {
    queue.Push(MakeLine("x"));
    queue.Flush();
    EXPECT_EQ(written, i);
  }
  queue.Close();
  writer.join();
}

TEST(LogQueueTest, ManyPushersLoseNothingThatFits) {
  LogQueue queue(100000);
  std::vector<std::thread> pushers;
  for (int t = 0; t < 4; ++t) {
    pushers.emplace_back([&queue] {
      for (int i = 0; i < 1000; ++i) queue.Push(MakeLine("x"));
    });
  }
  size_t taken = 0;
  std::thread writer([&] {
    LogBatch batch;
    while (queue.Take(&batch)) taken += Messages(&batch).size();
  });
  for (std::thread& pusher : pushers) pusher.join();
  queue.Close();
  writer.join();
  EXPECT_EQ(taken, 4000u);
}

}  // namespace
}  // namespace pt
