#include "repo/manager.h"

#include <gtest/gtest.h>

#include <future>

#include "base/alarm.h"
#include "repo/load_fixture.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;
using Texts = std::vector<std::string>;

// Far more than a load here takes on a busy machine, and no long wait for one that hangs.
constexpr Duration kLimit = std::chrono::seconds(2);

class ManagerTest : public testing::LoadFixture {
 protected:
  void Make(Duration load_limit = {}, int threads = 2, Duration patience = std::chrono::hours(1)) {
    ManagerOptions options;
    options.repositories = {models()};
    options.thread_count = threads;
    options.patience = patience;
    options.load_limit = load_limit;
    options.alarm = &alarm_;
    options.rest = rest_;
    manager_ = std::make_unique<Manager>(options, Tools());
  }
  std::future<LoadOutcome> Load(const std::string& name, Wish wish = Wish::kRequest) {
    auto promise = std::make_shared<std::promise<LoadOutcome>>();
    LoadRequest request;
    request.name = name;
    manager_->Load(std::move(request), wish,
                   [promise](const LoadOutcome& outcome) { promise->set_value(outcome); });
    return promise->get_future();
  }
  Status LoadAndWait(const std::string& name) { return ClientStatus(name, Load(name).get()); }
  std::future<Status> Unload(const std::string& name, Trace trace = Trace::kUnloaded) {
    auto promise = std::make_shared<std::promise<Status>>();
    manager_->Unload(name, trace, [promise](const Result<UnloadReport>& report) {
      promise->set_value(report.status());
    });
    return promise->get_future();
  }

  Alarm alarm_;
  Duration rest_{0};
  std::unique_ptr<Manager> manager_;
};

TEST_F(ManagerTest, LoadsAndUnloadsAndLoadsAgain) {
  WriteModel("m", {1, 2});
  Make();
  EXPECT_TRUE(LoadAndWait("m").ok());
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 READY", "m:2 READY"}));
  EXPECT_TRUE(Unload("m").get().ok());
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 UNAVAILABLE unloaded", "m:2 UNAVAILABLE unloaded"}));
  EXPECT_TRUE(LoadAndWait("m").ok());
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 READY", "m:2 READY"}));
  EXPECT_EQ(log_.count("load m:1"), 2);
  EXPECT_EQ(manager_->metrics().loads, 2U);
}

TEST_F(ManagerTest, AnUnchangedModelIsNotLoadedAgain) {
  WriteModel("m");
  Make();
  EXPECT_EQ(Load("m").get().kind, Kind::kLoaded);
  EXPECT_EQ(Load("m").get().kind, Kind::kUnchanged);
  EXPECT_EQ(log_.count("load m:1"), 1);
}

TEST_F(ManagerTest, ReloadsOfWhatServesLeaveARest) {
  WriteModel("m");
  rest_ = std::chrono::milliseconds(200);
  Make();
  ASSERT_TRUE(LoadAndWait("m").ok());
  for (const char* reason : {"no memory", "no luck"}) {  // after a load, after a failed one
    WriteConfig("m", {{"fail", reason}});
    const TimePoint begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(LoadAndWait("m").ok());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, rest_ / 2);
  }
}

TEST_F(ManagerTest, WhatDoesNotServeLoadsWithoutARest) {
  WriteModel("m");
  WriteModel("other");
  WriteConfig("m", {{"fail", "no memory"}});
  rest_ = std::chrono::hours(1);
  Make();
  EXPECT_FALSE(LoadAndWait("m").ok());
  WriteConfig("m", {});
  EXPECT_TRUE(LoadAndWait("m").ok());
  EXPECT_TRUE(LoadAndWait("other").ok());
  EXPECT_TRUE(Unload("m").get().ok());
  EXPECT_TRUE(LoadAndWait("m").ok());
}

TEST_F(ManagerTest, AFailedReloadLeavesWhatServesAndItsReason) {
  WriteModel("m");
  Make();
  ASSERT_TRUE(LoadAndWait("m").ok());
  WriteConfig("m", {{"fail", "no memory"}});
  EXPECT_EQ(LoadAndWait("m").message(),
            "load failed for model 'm': version 1 is at UNAVAILABLE state: Internal: no memory;\n");
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
  EXPECT_EQ(manager_->Problems()["m"], "Internal: no memory");
  WriteConfig("m", {});
  EXPECT_TRUE(LoadAndWait("m").ok());
  EXPECT_EQ(manager_->Problems()["m"], "");
}

TEST_F(ManagerTest, AModelWithoutVersionsSaysSoInTritonsWords) {
  WriteModel("m", {});
  Make();
  const Status status = LoadAndWait("m");
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "load failed for model 'm': at least one version must be available under the version "
            "policy of model 'm'\n");
}

TEST_F(ManagerTest, UnloadClearsAFailedLoad) {
  WriteModel("m", {1}, {{"fail", "no"}});
  Make();
  EXPECT_FALSE(LoadAndWait("m").ok());
  EXPECT_FALSE(table_.IsReady());
  EXPECT_TRUE(Unload("m").get().ok());
  EXPECT_TRUE(table_.IsReady());
  EXPECT_FALSE(manager_->HasMissing());
}

TEST_F(ManagerTest, NothingStaysOfNamesThatNeverWere) {
  Make();
  const Status status = LoadAndWait("nowhere");
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_EQ(
      status.message(),
      "failed to load 'nowhere', failed to poll from model repository: model not found in any "
      "model repository.");
  EXPECT_TRUE(Unload("nobody").get().ok());
  EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));
  EXPECT_TRUE(manager_->Problems().empty());
  EXPECT_EQ(IndexTexts(), Texts{});
}

TEST_F(ManagerTest, AStandingWishThatCantBeMetIsMissing) {
  Make();
  EXPECT_FALSE(ClientStatus("nowhere", Load("nowhere", Wish::kStanding).get()).ok());
  EXPECT_TRUE(manager_->HasMissing());
}

TEST_F(ManagerTest, IdenticalWaitingLoadsAreOne) {
  WriteModel("m", {1}, {{"wait", "door"}});
  Make();
  auto first = Load("m");
  gates_.AwaitWaiting("door");
  WriteConfig("m", {});  // or they would find nothing changed
  auto second = Load("m");
  auto third = Load("m");
  gates_.Open("door");
  EXPECT_EQ(first.get().kind, Kind::kLoaded);
  EXPECT_EQ(second.get().kind, Kind::kLoaded);
  EXPECT_EQ(third.get().kind, Kind::kLoaded);
  EXPECT_EQ(log_.count("load m:1"), 2);
}

TEST_F(ManagerTest, WhoWaitsForWhatJustFailedSharesTheAnswer) {
  WriteModel("m", {1}, {{"wait", "door"}, {"fail", "no"}});
  Make();
  auto first = Load("m");
  gates_.AwaitWaiting("door");
  auto second = Load("m");
  gates_.Open("door");
  EXPECT_EQ(first.get().kind, Kind::kFailed);
  EXPECT_EQ(second.get().kind, Kind::kFailed);
  EXPECT_EQ(log_.count("load m:1"), 1);
}

TEST_F(ManagerTest, OneModelsLoadDelaysNoOther) {
  WriteModel("slow", {1}, {{"wait", "door"}});
  WriteModel("m");
  Make();
  auto slow = Load("slow");
  gates_.AwaitWaiting("door");
  EXPECT_TRUE(LoadAndWait("m").ok());
  EXPECT_TRUE(Unload("m").get().ok());
  gates_.Open("door");
  EXPECT_EQ(slow.get().kind, Kind::kLoaded);
}

TEST_F(ManagerTest, LoadsThatHangLeaveTheirPlacesToOthers) {
  for (const char* name : {"a", "b", "c"}) WriteModel(name, {1}, {{"hang", "door"}});
  WriteModel("m");
  Make({}, 1, std::chrono::milliseconds(1));
  std::vector<std::future<LoadOutcome>> hanging;
  for (const char* name : {"a", "b", "c"}) hanging.push_back(Load(name));
  gates_.AwaitWaiting("door", 3);
  EXPECT_TRUE(LoadAndWait("m").ok());
  gates_.Open("door");
  for (auto& load : hanging) EXPECT_EQ(load.get().kind, Kind::kLoaded);
}

TEST_F(ManagerTest, ALoadThatTakesTooLongIsGivenUpEvenIfItsBackendIsDeaf) {
  WriteModel("m", {1}, {{"hang", "door"}});
  Make(kLimit);
  const LoadOutcome outcome = Load("m").get();
  EXPECT_EQ(outcome.kind, Kind::kCancelled);
  const std::string reason =
      "load of model 'm' was given up: expected at most 2 s (--model-load-timeout-secs)";
  EXPECT_EQ(ClientStatus("m", outcome).message(), reason);
  EXPECT_EQ(ClientStatus("m", outcome).code(), Code::kUnavailable);
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE Unavailable: " + reason});
  // The model goes on while the backend still hangs in the load that was given up.
  WriteConfig("m", {});
  EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));
  ASSERT_TRUE(LoadAndWait("m").ok());
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
  const uint64_t serving = table_.router().Find("m", "").value()->generation();
  gates_.Open("door");  // what it brings now is dropped
  while (log_.count("end m:1") < 2) std::this_thread::yield();
  WriteModel("n");
  EXPECT_TRUE(LoadAndWait("n").ok());
  EXPECT_EQ(manager_->Problems()["m"], "");
  EXPECT_EQ(manager_->metrics().failed_loads, 1U);
  EXPECT_TRUE(Unload("n", Trace::kNone).get().ok());
  manager_.reset();
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
  EXPECT_EQ(table_.router().Find("m", "").value()->generation(), serving);
}

TEST_F(ManagerTest, AReloadThatTakesTooLongLeavesWhatServes) {
  WriteModel("m");
  Make(kLimit);
  ASSERT_TRUE(LoadAndWait("m").ok());
  WriteConfig("m", {{"hang", "door"}});
  EXPECT_EQ(Load("m").get().kind, Kind::kCancelled);
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
  EXPECT_NE(manager_->Problems()["m"].find("was given up"), std::string::npos);
  gates_.Open("door");
}

TEST_F(ManagerTest, UnloadGivesUpLoadsThatRunAndWait) {
  WriteModel("m", {1}, {{"hang", "door"}});
  Make();
  auto running = Load("m");
  gates_.AwaitWaiting("door");
  auto waiting = Load("m");
  EXPECT_TRUE(Unload("m").get().ok());
  EXPECT_EQ(running.get().kind, Kind::kCancelled);
  EXPECT_EQ(ClientStatus("m", waiting.get()).message(),
            "load of model 'm' was given up: the model was unloaded meanwhile");
  EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));
  EXPECT_TRUE(table_.IsReady());
  EXPECT_EQ(manager_->Problems()["m"], "");
  gates_.Open("door");
}

TEST_F(ManagerTest, ABackendThatListensEndsWhenItsLoadIsGivenUp) {
  WriteModel("m", {1}, {{"wait", "door"}});
  Make();
  auto running = Load("m");
  gates_.AwaitWaiting("door");
  EXPECT_TRUE(Unload("m").get().ok());
  EXPECT_EQ(running.get().kind, Kind::kCancelled);
  manager_.reset();  // joins its threads: the backend has come back, though nobody opened
}

TEST_F(ManagerTest, CloseGivesUpWhatRunsAndRefusesTheRest) {
  WriteModel("m", {1}, {{"hang", "door"}});
  Make();
  auto running = Load("m");
  gates_.AwaitWaiting("door");
  auto waiting = Load("m");
  EXPECT_TRUE(manager_->Close(kNoDeadline));
  for (auto* load : {&running, &waiting}) {
    EXPECT_EQ(ClientStatus("m", load->get()).message(),
              "Server is stopping, models are no longer loaded");
  }
  EXPECT_FALSE(LoadAndWait("m").ok());
  EXPECT_EQ(Unload("m").get().code(), Code::kUnavailable);
  gates_.Open("door");
}

TEST_F(ManagerTest, WhatAPauseGaveUpIsLoadedByResume) {
  WriteModel("m", {1}, {{"wait", "door"}});
  WriteModel("n");
  Make();
  auto running = Load("m", Wish::kStanding);
  gates_.AwaitWaiting("door");
  manager_->Pause();
  EXPECT_EQ(running.get().kind, Kind::kCancelled);
  EXPECT_EQ(Load("n").get().kind, Kind::kCancelled);
  gates_.Open("door");
  EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));
  manager_->Resume();
  EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
  EXPECT_TRUE(LoadAndWait("n").ok());
}

TEST_F(ManagerTest, UnloadOfWhatIsInUseAnswersBeforeItHasGone) {
  WriteModel("m");
  Make();
  ASSERT_TRUE(LoadAndWait("m").ok());
  std::promise<UnloadReport> answered;
  {
    const ModelHandle handle = table_.router().Find("m", "").value();
    manager_->Unload("m", Trace::kUnloaded,
                     [&](const Result<UnloadReport>& report) { answered.set_value(*report); });
    const UnloadReport report = answered.get_future().get();
    EXPECT_FALSE(report.is_gone);
    EXPECT_GT(report.resident_before, 0U);
    EXPECT_EQ(IndexTexts(), Texts{"m:1 UNLOADING"});
  }
  while (manager_->metrics().unloads == 0) std::this_thread::yield();
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE unloaded"});
}

TEST_F(ManagerTest, TheWatchersTreeIsLoadedOrNothing) {
  WriteModel("m");
  Make();
  const std::string dir = models() + "/m";
  const Fingerprint settled = LookAtTree(dir, {})->fingerprint;
  const auto load = [&] {
    std::promise<LoadOutcome> done;
    manager_->LoadSettled({"m", models(), dir, {}, {}}, settled,
                          [&](const LoadOutcome& outcome) { done.set_value(outcome); });
    return done.get_future().get();
  };
  EXPECT_EQ(load().kind, Kind::kLoaded);
  WriteConfig("m", {}, "max_batch_size: 2");
  EXPECT_EQ(load().kind, Kind::kChanged);
  EXPECT_EQ(manager_->metrics().discarded_loads, 1U);
}

TEST_F(ManagerTest, NamespacesKeepModelsOfOneNameApart) {
  WriteModel("m", {1});
  WriteModel("m", {2}, {}, "others");
  ManagerOptions options;
  options.repositories = {models(), scratch_.Path("others")};
  manager_ = std::make_unique<Manager>(options, Tools());
  EXPECT_EQ(
      LoadAndWait("m").message(),
      "failed to load 'm', failed to poll from model repository: model appears in two or more "
      "repositories");
  for (const std::string& repository : options.repositories) {
    std::promise<LoadOutcome> done;
    LoadRequest request;
    request.name = "m";
    request.space = repository;
    manager_->Load(std::move(request), Wish::kRequest,
                   [&](const LoadOutcome& outcome) { done.set_value(outcome); });
    EXPECT_EQ(done.get_future().get().kind, Kind::kLoaded);
  }
  EXPECT_EQ(manager_->KeysOf("m").size(), 2U);
  EXPECT_EQ(IndexTexts(), (Texts{"m:1 READY", "m:2 READY"}));
  EXPECT_EQ(
      table_.router().Find("m", "").status().message(),
      "There are 2 identifiers of model 'm' in global map, model namespace must be provided to "
      "resolve ambiguity.");
  EXPECT_EQ(table_.router().Find("m", "2").status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(Unload(models() + "/m").get().ok());
  EXPECT_EQ(table_.router().Find("m", "").value()->version(), 2);
}

}  // namespace
}  // namespace pt::repo
