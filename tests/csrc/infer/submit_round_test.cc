#include "infer/submit_round.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt {
namespace {

using testing::FakeResponder;
using testing::FakeScheduler;
using testing::SchedulerLog;

class SubmitRoundTest : public ::testing::Test {
 protected:
  void SetUp() override {
    a_.Attach(nullptr, std::make_unique<FakeScheduler>(&log_a_));
    b_.Attach(nullptr, std::make_unique<FakeScheduler>(&log_b_));
  }
  void Add(Model* model, std::string id = "") {
    auto request = std::make_unique<InferRequest>(model->Acquire(), MakeRef<FakeResponder>());
    request->id = std::move(id);
    round_.Add(std::move(request));
  }

  SchedulerLog log_a_;
  SchedulerLog log_b_;
  Model a_{testing::NamedConfig("a"), 1};
  Model b_{testing::NamedConfig("b"), 2};
  SubmitRound round_{nullptr};
};

TEST_F(SubmitRoundTest, SubmitsOncePerModelInOrder) {
  Add(&a_, "1");
  Add(&b_, "2");
  Add(&a_, "3");
  EXPECT_FALSE(round_.empty());
  round_.Flush();
  EXPECT_TRUE(round_.empty());
  EXPECT_EQ(log_a_.submitted, std::vector<size_t>{2});
  EXPECT_EQ(log_b_.submitted, std::vector<size_t>{1});
  EXPECT_EQ(log_a_.kept[0]->id, "1");
  EXPECT_EQ(log_a_.kept[1]->id, "3");
}

TEST_F(SubmitRoundTest, AnEmptyRoundSubmitsNothing) {
  round_.Flush();
  EXPECT_TRUE(log_a_.submitted.empty());
}

TEST_F(SubmitRoundTest, TakesRequestsThatComeDuringTheFlush) {
  log_a_.on_submit = [&] {
    log_a_.on_submit = nullptr;
    Add(&a_, "late");
    Add(&b_, "late too");
  };
  Add(&a_, "first");
  round_.Flush();
  EXPECT_TRUE(round_.empty());
  EXPECT_EQ(log_a_.submitted, (std::vector<size_t>{1, 1}));
  EXPECT_EQ(log_b_.submitted, std::vector<size_t>{1});
}

TEST_F(SubmitRoundTest, PinsTheModelWhileItSubmits) {
  log_a_.on_submit = [&] {
    log_a_.kept.clear();  // every request is answered before Submit returns
    EXPECT_EQ(a_.users(), 1);
  };
  Add(&a_);
  round_.Flush();
  EXPECT_EQ(a_.users(), 0);
}

}  // namespace
}  // namespace pt
