#include "infer/request.h"

#include <gtest/gtest.h>

#include "infer/fakes.h"

namespace pt {
namespace {

using testing::FakeResponder;

class RequestTest : public ::testing::Test {
 protected:
  RequestPtr Make() {
    auto request = std::make_unique<InferRequest>(model_.Acquire(), responder_);
    request->arrival = std::chrono::steady_clock::now();
    request->batch_size = 3;
    return request;
  }

  Model model_{testing::NamedConfig("m"), 1};
  RefPtr<FakeResponder> responder_ = MakeRef<FakeResponder>();
};

TEST_F(RequestTest, AnswersItselfWhenDropped) {
  Make().reset();
  ASSERT_EQ(responder_->sent.size(), 1u);
  EXPECT_EQ(responder_->sent[0].response.status.code(), Code::kInternal);
  EXPECT_EQ(responder_->sent[0].finality, Finality::kFinal);
  EXPECT_EQ(model_.stats().Snapshot().fail.count, 1u);
  EXPECT_EQ(model_.users(), 0);
}

TEST_F(RequestTest, FailsOnlyOnce) {
  RequestPtr request = Make();
  request->Fail(Unavailable("full"), FailureReason::kRejected);
  request->Fail(Internal("again"));
  request.reset();
  ASSERT_EQ(responder_->sent.size(), 1u);
  EXPECT_EQ(responder_->sent[0].response.status.message(), "full");
  const StatsSnapshot stats = model_.stats().Snapshot();
  EXPECT_EQ(stats.failures[static_cast<size_t>(FailureReason::kRejected)], 1u);
  EXPECT_EQ(stats.last_inference_ms, 0u) << "it never reached the model";
}

TEST_F(RequestTest, CountsNothingInsideABatch) {
  RequestPtr request = Make();
  request->EnterBatch();
  request->Respond({}, Finality::kFinal);
  EXPECT_TRUE(request->is_answered());
  EXPECT_EQ(model_.stats().Snapshot().success.count, 0u);
}

TEST_F(RequestTest, CountsItselfWhenItAnswersLater) {
  RequestPtr request = Make();
  request->EnterBatch();
  request->AnswerLater();
  request->Respond({}, Finality::kMore);
  EXPECT_FALSE(request->is_answered());
  EXPECT_EQ(model_.stats().Snapshot().success.count, 0u);
  request->Respond({}, Finality::kFinal);
  const StatsSnapshot stats = model_.stats().Snapshot();
  EXPECT_EQ(stats.success.count, 1u);
  EXPECT_EQ(stats.inference_count, 3u);
  EXPECT_EQ(responder_->sent.size(), 2u);
}

TEST_F(RequestTest, CountsALaterErrorByItsKind) {
  for (const Code code : {Code::kCancelled, Code::kInternal}) {
    RequestPtr request = Make();
    request->AnswerLater();
    InferResponse response;
    response.status = Status(code, "x");
    request->Respond(std::move(response), Finality::kFinal);
  }
  const StatsSnapshot stats = model_.stats().Snapshot();
  EXPECT_EQ(stats.failures[static_cast<size_t>(FailureReason::kCancelled)], 1u);
  EXPECT_EQ(stats.failures[static_cast<size_t>(FailureReason::kBackend)], 1u);
}

TEST_F(RequestTest, WantsAllOutputsUnlessSomeAreNamed) {
  const RequestPtr request = Make();
  EXPECT_TRUE(request->WantsOutput(7));
  request->requested_outputs = {1};
  EXPECT_TRUE(request->WantsOutput(1));
  EXPECT_FALSE(request->WantsOutput(0));
}

TEST(ResponderTest, RunsTheObserverOnce) {
  const auto responder = MakeRef<FakeResponder>();
  int runs = 0;
  responder->OnCancel([&] { ++runs; });
  EXPECT_FALSE(responder->is_cancelled());
  responder->Cancel();
  responder->Cancel();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(responder->is_cancelled());
  responder->OnCancel([&] { ++runs; });
  EXPECT_EQ(runs, 2) << "runs at once when it is too late";
}

TEST(ResponderTest, ARemovedObserverDoesNotRun) {
  const auto responder = MakeRef<FakeResponder>();
  responder->OnCancel([] { ADD_FAILURE(); });
  responder->OnCancel({});
  responder->Cancel();
}

}  // namespace
}  // namespace pt
