#include "schedule/response_cache.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "infer/backend.h"
#include "schedule/caching_scheduler.h"

namespace pt::schedule {
namespace {

// A cached model whose requests a test answers by hand.
class Caching : public ::testing::Test {
 protected:
  struct Kept {
    std::vector<InferResponse> answers;
  };

  class KeepingResponder final : public Responder {
   public:
    explicit KeepingResponder(Kept* kept) : kept_(kept) {}
    void Send(InferResponse&& response, Finality) override {
      kept_->answers.push_back(std::move(response));
    }

   private:
    Kept* const kept_;
  };

  class WaitingScheduler final : public Scheduler {
   public:
    explicit WaitingScheduler(RequestList* waiting) : waiting_(waiting) {}
    Status Start() override { return {}; }
    void Submit(RequestList&& requests, LoopHost*) override {
      for (RequestPtr& request : requests) waiting_->push_back(std::move(request));
    }
    int64_t queued() const override { return 0; }
    void Stop() override {}

   private:
    RequestList* const waiting_;
  };

  // Memory that its client may still write.
  class ClientBlock final : public Block {
   public:
    ClientBlock() : Block(bytes_, sizeof(bytes_)) {}
    bool is_client_memory() const override { return true; }

   private:
    char bytes_[8] = {};
  };

  explicit Caching(uint64_t capacity = 1 << 20) : cache(capacity), model(MakeModel("m", 1, 1)) {}

  static std::unique_ptr<Model> MakeModel(const std::string& name, int64_t version,
                                          uint64_t generation) {
    ModelConfig config;
    config.name = name;
    config.version = version;
    for (const char* input : {"A", "B"}) {
      config.inputs.push_back({input, DataType::kInt8, Shape{-1}, true, false, {}});
    }
    config.outputs = config.inputs;
    return std::make_unique<Model>(std::move(config), generation);
  }

  RequestPtr Make(const std::string& bytes, Model* of = nullptr) {
    if (of == nullptr) of = model.get();
    auto request = std::make_unique<InferRequest>(of->Acquire(), MakeRef<KeepingResponder>(&kept));
    const auto size = static_cast<int64_t>(bytes.size());
    request->inputs.push_back({0, {DataType::kInt8, Shape{size}, Slice::Copy(bytes)}});
    return request;
  }

  void Submit(RequestPtr request) {
    RequestList requests;
    requests.push_back(std::move(request));
    scheduler.Submit(std::move(requests), nullptr);
  }

  // Answers the oldest waiting request with these bytes as output 0.
  void Answer(std::string_view bytes) {
    InferResponse response;
    response.outputs.push_back({0, {DataType::kInt8, Shape{1}, Slice::Copy(bytes)}});
    waiting.front()->Respond(std::move(response), Finality::kFinal);
    waiting.erase(waiting.begin());
  }

  std::string AnswerText(size_t i) const {
    return std::string(kept.answers.at(i).outputs.at(0).tensor.data.view());
  }

  SteadyClock clock;
  Kept kept;
  RequestList waiting;
  ResponseCache cache;
  std::unique_ptr<Model> model;
  CachingScheduler scheduler{model.get(), &clock, &cache,
                             std::make_unique<WaitingScheduler>(&waiting)};
};

TEST_F(Caching, AnswersAnEqualRequestWithoutTheModel) {
  Submit(Make("x"));
  ASSERT_EQ(waiting.size(), 1);
  Answer("1");
  Submit(Make("x"));
  EXPECT_EQ(waiting.size(), 0);
  ASSERT_EQ(kept.answers.size(), 2);
  EXPECT_EQ(AnswerText(1), "1");
  const StatsSnapshot stats = model->stats().Snapshot();
  EXPECT_EQ(stats.cache_hit.count, 1);
  EXPECT_EQ(stats.cache_miss.count, 1);
  EXPECT_EQ(stats.success.count, 2);
  EXPECT_EQ(stats.inference_count, 1);
  EXPECT_EQ(cache.counters().entries, 1);
}

TEST_F(Caching, EveryPartOfARequestCounts) {
  const auto other_version = MakeModel("m", 2, 1);
  const auto other_generation = MakeModel("m", 1, 2);
  const auto other_name = MakeModel("m2", 1, 1);
  const std::vector<std::function<RequestPtr()>> kMakers = {
      [&] { return Make("xy"); },
      [&] { return Make("xz"); },
      [&] { return Make("xy", other_version.get()); },
      [&] { return Make("xy", other_generation.get()); },
      [&] { return Make("xy", other_name.get()); },
      [&] {
        auto request = Make("xy");
        request->inputs[0].tensor.shape = Shape{2, 1};
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->inputs[0].tensor.type = DataType::kUint8;
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->inputs[0].index = 1;
        return request;
      },
      [&] {
        auto request = Make("x");
        request->inputs.push_back({1, {DataType::kInt8, Shape{1}, Slice::Copy("y")}});
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->requested_outputs = {1};
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->parameters.emplace_back("p", std::string("1"));
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->parameters.emplace_back("p", int64_t{1});
        return request;
      },
      [&] {
        auto request = Make("xy");
        request->parameters.emplace_back("p", true);
        return request;
      },
  };
  std::set<std::string> keys;
  for (const auto& make : kMakers) keys.insert(*cache.KeyOf(*make()));
  EXPECT_EQ(keys.size(), kMakers.size());
  auto first = Make("xy");
  first->parameters = {{"a", int64_t{1}}, {"b", 2.0}};
  auto second = Make("xy");
  second->id = "another";
  second->parameters = {{"b", 2.0}, {"a", int64_t{1}}};
  EXPECT_EQ(*cache.KeyOf(*first), *cache.KeyOf(*second));
}

TEST_F(Caching, AllOutputsAreTheSameNamedOrNot) {
  auto unnamed = Make("xy");
  auto named = Make("xy");
  named->requested_outputs = {0, 1};
  EXPECT_EQ(*cache.KeyOf(*named), *cache.KeyOf(*unnamed));
  auto turned = Make("xy");
  turned->requested_outputs = {1, 0};
  EXPECT_NE(*cache.KeyOf(*turned), *cache.KeyOf(*unnamed));
}

TEST_F(Caching, ErrorsAreNeverKept) {
  Submit(Make("x"));
  waiting.front()->Fail(Internal("no"));
  waiting.clear();
  Submit(Make("x"));
  EXPECT_EQ(waiting.size(), 1);
  EXPECT_EQ(cache.counters().entries, 0);
  Answer("1");
}

TEST_F(Caching, KeepsTheBytesAsTheyWere) {
  std::string mine = "1";
  Submit(Make("x"));
  InferResponse response;
  response.outputs.push_back(
      {0, {DataType::kInt8, Shape{1}, Slice(nullptr, mine.data(), mine.size())}});
  waiting.front()->Respond(std::move(response), Finality::kFinal);
  waiting.clear();
  mine = "2";
  Submit(Make("x"));
  EXPECT_EQ(AnswerText(1), "1");
}

TEST_F(Caching, MemoryOfAClientIsNotTrusted) {
  auto request = Make("x");
  const BlockRef block = MakeRef<ClientBlock>();
  request->inputs[0].tensor.data = Slice(block, block->data(), 1);
  EXPECT_FALSE(cache.KeyOf(*request).has_value());
  Submit(std::move(request));
  Answer("1");
  EXPECT_EQ(cache.counters().entries, 0);
}

TEST_F(Caching, CancellationStillReachesTheRequest) {
  auto responder = MakeRef<KeepingResponder>(&kept);
  auto request = std::make_unique<InferRequest>(model->Acquire(), responder);
  Submit(std::move(request));
  EXPECT_FALSE(waiting.front()->is_cancelled());
  responder->Cancel();
  EXPECT_TRUE(waiting.front()->is_cancelled());
  Answer("1");
}

class SmallCache : public Caching {
 protected:
  SmallCache() : Caching(2000) {}
};

TEST_F(SmallCache, ForgetsWhatWasNotAskedForLongest) {
  const std::vector<std::string> keys = {"a", "b", "c", "d"};
  const auto put = [&](const std::string& text) {
    Submit(Make(text));
    if (!waiting.empty()) Answer(std::string(200, 'x'));
  };
  put("a");
  put("b");
  const uint64_t entry_bytes = cache.counters().bytes / 2;
  const uint64_t room = cache.capacity() / entry_bytes;
  ASSERT_GE(room, 2);
  put("a");  // asked for again
  for (uint64_t i = 2; i <= room; ++i) put("n" + std::string(1, static_cast<char>('0' + i)));
  EXPECT_GE(cache.counters().evictions, 1);
  EXPECT_LE(cache.counters().bytes, cache.capacity());
  EXPECT_TRUE(cache.Find(*cache.KeyOf(*Make("a"))).has_value());
  EXPECT_FALSE(cache.Find(*cache.KeyOf(*Make("b"))).has_value());
}

TEST_F(SmallCache, WhatIsTooLargeIsServedButNotKept) {
  Submit(Make("x"));
  Answer(std::string(5000, 'x'));
  EXPECT_EQ(cache.counters().entries, 0);
  EXPECT_FALSE(cache.KeyOf(*Make(std::string(5000, 'x'))).has_value());
}

}  // namespace
}  // namespace pt::schedule
