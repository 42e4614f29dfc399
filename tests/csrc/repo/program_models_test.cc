#include "repo/program_models.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "repo/load_fixture.h"
#include "repo/manager.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;
using Texts = std::vector<std::string>;

class ProgramModelsTest : public testing::LoadFixture {
 protected:
  ProgramModelsTest() {
    LoadTools tools = Tools();
    tools.program = &program_;
    ManagerOptions options;
    options.repositories = {models()};
    options.thread_count = 2;  // one may hang in a maker
    manager_ = std::make_unique<Manager>(options, std::move(tools));
  }

  Status Add(const std::string& name, int64_t version = 1) {
    ModelConfig config;
    config.name = name;
    config.version = version;
    return program_.Add(std::move(config), [this]() -> Result<std::unique_ptr<Backend>> {
      log_.Note("made");
      if (is_slow_) gates_.Pass("made", nullptr);
      if (is_broken_) return Internal("no");
      return std::unique_ptr<Backend>(std::make_unique<testing::TestBackend>());
    });
  }
  std::future<LoadOutcome> Load(LoadRequest request, Wish wish = Wish::kRequest) {
    auto promise = std::make_shared<std::promise<LoadOutcome>>();
    manager_->Load(std::move(request), wish,
                   [promise](const LoadOutcome& outcome) { promise->set_value(outcome); });
    return promise->get_future();
  }
  std::future<LoadOutcome> Load(const std::string& name) {
    LoadRequest request;
    request.name = name;
    return Load(std::move(request));
  }
  Result<UnloadReport> Unload(const std::string& name, Trace trace = Trace::kUnloaded) {
    std::promise<Result<UnloadReport>> promise;
    manager_->Unload(name, trace,
                     [&](const Result<UnloadReport>& report) { promise.set_value(report); });
    return promise.get_future().get();
  }

  std::atomic<bool> is_slow_{false};
  std::atomic<bool> is_broken_{false};
  ProgramModels program_{Tools().factory, &table_};
  std::unique_ptr<Manager> manager_;
};

TEST_F(ProgramModelsTest, WhatAClientUnloadedCanBeLoadedAgain) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Add("m", 3).ok());
  EXPECT_EQ(Load("m").get().kind, Kind::kUnchanged) << "it serves";
  EXPECT_EQ(log_.count("made"), 2);
  ASSERT_TRUE(Unload("m").ok());
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 UNAVAILABLE unloaded", "m:3 UNAVAILABLE unloaded"}));
  EXPECT_TRUE(Load("m").get().reason.ok());
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 READY", "m:3 READY"}));
  EXPECT_EQ(log_.count("made"), 4);
}

TEST_F(ProgramModelsTest, ALoadWaitsForTheLastRequestOfWhatWasUnloaded) {
  ASSERT_TRUE(Add("m").ok());
  ModelHandle user = table_.Acquire("m", 1);
  ASSERT_FALSE(Unload("m")->is_gone);
  std::future<LoadOutcome> load = Load("m");
  // Callables never run twice at once.
  const TimePoint soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  EXPECT_FALSE(manager_->AwaitIdle(soon));
  EXPECT_EQ(log_.count("made"), 1);
  user = ModelHandle();
  EXPECT_TRUE(load.get().reason.ok());
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
}

TEST_F(ProgramModelsTest, ALoadUnderWayIsGivenUpByAnUnload) {
  ASSERT_TRUE(Add("m").ok());
  ASSERT_TRUE(Unload("m").ok());
  is_slow_ = true;
  std::future<LoadOutcome> load = Load("m");
  gates_.AwaitWaiting("made");
  ASSERT_TRUE(Unload("m").ok());
  EXPECT_EQ(load.get().kind, Kind::kCancelled);
  gates_.Open("made");
  manager_.reset();  // with the thread that made it
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE unloaded"});
}

TEST_F(ProgramModelsTest, AWaitForTheLastRequestIsGivenUp) {
  ASSERT_TRUE(Add("m").ok());
  const ModelHandle user = table_.Acquire("m", 1);
  ASSERT_TRUE(Unload("m").ok());
  LoadControl control;
  std::future<Status> waiting =
      std::async(std::launch::async, [&] { return table_.AwaitDrained("m", &control); });
  ASSERT_TRUE(control.Cancel(Unavailable("enough")));
  EXPECT_EQ(waiting.get().message(), "enough");
}

TEST_F(ProgramModelsTest, AFailedLoadServesNoVersionAndCanBeTriedAgain) {
  ASSERT_TRUE(Add("m", 1).ok());
  ASSERT_TRUE(Unload("m").ok());
  is_broken_ = true;
  const LoadOutcome outcome = Load("m").get();
  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.reason.message(), "no");
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE unloaded"});
  EXPECT_EQ(manager_->Problems()["m"], "Internal: no");
  is_broken_ = false;
  EXPECT_TRUE(Load("m").get().reason.ok());
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
}

TEST_F(ProgramModelsTest, ClientsCantReplaceConfigurationOrFiles) {
  ASSERT_TRUE(Add("m").ok());
  LoadRequest request;
  request.name = "m";
  request.config = "{}";
  EXPECT_EQ(Load(request).get().reason.message(),
            "model 'm' is the program's: expected a load without other configuration or files");
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
}

TEST_F(ProgramModelsTest, WhatTheProgramRemovedIsGone) {
  ASSERT_TRUE(Add("m").ok());
  ASSERT_TRUE(Unload("m").ok());
  EXPECT_TRUE(program_.Remove("m", 1).ok());
  EXPECT_EQ(program_.Remove("m", 1).code(), Code::kNotFound);
  EXPECT_EQ(Load("m").get().reason.message(), "model not found in any model repository.");
}

TEST_F(ProgramModelsTest, ADirectoryThatIsGoneTakesNoModelOfTheProgramAlong) {
  ASSERT_TRUE(Add("m").ok());
  ASSERT_TRUE(Unload("m", Trace::kNone).ok());
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
}

TEST_F(ProgramModelsTest, AStandingWishForTheSameNameIsAConflict) {
  WriteModel("m");
  ASSERT_TRUE(Add("m").ok());
  LoadRequest request;
  request.name = "m";
  EXPECT_EQ(Load(request, Wish::kStanding).get().reason.message(),
            "model 'm' is served already, from the program");
}

}  // namespace
}  // namespace pt::repo
