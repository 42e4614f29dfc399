#include "repo/model_load.h"

#include <gtest/gtest.h>

#include "repo/load_fixture.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;
using Texts = std::vector<std::string>;

class ModelLoadTest : public testing::LoadFixture {
 protected:
  LoadSource Source(const std::string& name = "m") {
    LoadSource source;
    source.key = name;
    source.request.name = name;
    source.dir = models() + "/" + name;
    source.control = std::make_shared<LoadControl>();
    return source;
  }
  LoadOutcome Load(const LoadSource& source) {
    const LoadOutcome outcome =
        LoadModel(tools_, source, served_.has_value() ? &*served_ : nullptr);
    if (outcome.kind == Kind::kLoaded) served_ = outcome.served;
    return outcome;
  }
  LoadOutcome Load() { return Load(Source()); }
  uint64_t Generation(int version) const {
    return table_.router().Find("m", std::to_string(version)).value()->generation();
  }

  LoadTools tools_ = Tools();
  std::optional<ServedModel> served_;
};

TEST_F(ModelLoadTest, TouchesOnlyTheVersionsThatChanged) {
  WriteModel("m", {1, 2});
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  const uint64_t first = Generation(1);
  const uint64_t second = Generation(2);
  scratch_.Write("models/m/2/file", "changed");
  scratch_.Write("models/m/3/file", "new");
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  EXPECT_EQ(Generation(1), first);
  EXPECT_GT(Generation(2), second);
  EXPECT_EQ(served_->versions, (std::vector<int64_t>{1, 2, 3}));
  std::filesystem::remove_all(scratch_.Path("models/m/1"));
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  EXPECT_EQ(table_.ReadyVersions("m"), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(log_.count("load m:3"), 1);
}

TEST_F(ModelLoadTest, OnlyAClientTurnsAModelIntoOneWithoutConfiguration) {
  WriteModel("m.test");
  LoadSource source = Source("m.test");
  ASSERT_EQ(Load(source).kind, Kind::kLoaded);
  std::filesystem::remove(scratch_.Path("models/m.test/config.pbtxt"));
  LoadSource watched = source;
  watched.settled = LookAtTree(source.dir, {})->fingerprint;
  const LoadOutcome outcome = Load(watched);
  EXPECT_EQ(outcome.kind, Kind::kUnusable);
  EXPECT_TRUE(outcome.reason.message().starts_with(
      "configuration " + source.dir + "/config.pbtxt of model 'm.test' is gone: put it back"))
      << outcome.reason.message();
  EXPECT_EQ(Load(source).kind, Kind::kLoaded);
}

TEST_F(ModelLoadTest, AllVersionsAreLoadedOrNone) {
  WriteModel("m", {1});
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  const uint64_t before = Generation(1);
  WriteModel("m", {1, 2}, {{"fail", "no"}});
  const LoadOutcome outcome = Load();
  EXPECT_EQ(outcome.kind, Kind::kFailed);
  EXPECT_EQ(outcome.failed_version, 1);
  EXPECT_EQ(Generation(1), before);
  EXPECT_EQ(IndexTexts(), Texts{"m:1 READY"});
}

TEST_F(ModelLoadTest, TriesAgainAsOftenAsItIsTold) {
  WriteModel("m", {1}, {{"fail", "no"}});
  tools_.retry_count = 2;
  EXPECT_EQ(Load().kind, Kind::kFailed);
  EXPECT_EQ(log_.count("load m:1"), 3);
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE Internal: no"});
}

TEST_F(ModelLoadTest, WhatIsGivenUpIsNotTriedAgain) {
  WriteModel("m", {1}, {{"fail", "no"}, {"wait", "door"}});
  tools_.retry_count = 1000000;
  LoadSource source = Source();
  std::thread other([&] {
    gates_.AwaitWaiting("door");
    EXPECT_TRUE(source.control->Cancel(Unavailable("too long")));
  });
  const LoadOutcome outcome = Load(source);
  other.join();
  EXPECT_EQ(outcome.kind, Kind::kCancelled);
  EXPECT_EQ(outcome.reason.message(), "too long");
  EXPECT_EQ(log_.count("load m:1"), 1);
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE Unavailable: too long"});
}

TEST_F(ModelLoadTest, WhatIsGivenUpPublishesNothingThoughItSucceeds) {
  WriteModel("m", {1}, {{"hang", "door"}});
  LoadSource source = Source();
  std::thread other([&] {
    gates_.AwaitWaiting("door");
    EXPECT_TRUE(source.control->Cancel(Unavailable("too long")));
    gates_.Open("door");
  });
  EXPECT_EQ(Load(source).kind, Kind::kCancelled);
  other.join();
  EXPECT_EQ(IndexTexts(), Texts{"m:1 UNAVAILABLE Unavailable: too long"});
  EXPECT_TRUE(table_.ReadyVersions("m").empty());
}

TEST_F(ModelLoadTest, ALoadThatWasGivenUpBeforeItBeganIsOver) {
  WriteModel("m");
  const LoadSource source = Source();
  ASSERT_TRUE(source.control->Cancel(Unavailable("too long")));
  EXPECT_EQ(Load(source).kind, Kind::kCancelled);
  EXPECT_TRUE(table_.ReadyVersions("m").empty());
}

TEST_F(ModelLoadTest, AWatchersLoadIsThrownAwayWhenFilesChangeUnderIt) {
  WriteModel("m", {1}, {{"wait", "door"}});
  LoadSource source = Source();
  source.settled = LookAtTree(source.dir, {})->fingerprint;
  std::thread other([&] {
    gates_.AwaitWaiting("door");
    scratch_.Write("models/m/1/file", "more content");
    gates_.Open("door");
  });
  EXPECT_EQ(Load(source).kind, Kind::kChanged);
  other.join();
  EXPECT_EQ(IndexTexts(), Texts{});
}

TEST_F(ModelLoadTest, AClientsLoadOfFilesThatChangeUnderItServesWhatItCopied) {
  WriteModel("m", {1}, {{"wait", "door"}});
  std::thread other([&] {
    gates_.AwaitWaiting("door");
    scratch_.Write("models/m/1/file", "more content");
    gates_.Open("door");
  });
  EXPECT_EQ(Load().kind, Kind::kLoaded);
  other.join();
  EXPECT_EQ(Load().kind, Kind::kLoaded);  // not unchanged: the edit is found
  EXPECT_EQ(log_.count("load m:1"), 2);
}

TEST_F(ModelLoadTest, OverridesReplaceTheFileAndThePlainLoadRestoresIt) {
  WriteModel("m");
  LoadSource source = Source();
  source.request.config = R"({"backend":"test","max_batch_size":3})";
  ASSERT_EQ(Load(source).kind, Kind::kLoaded);
  EXPECT_EQ(table_.router().Find("m", "").value()->config().max_batch_size, 3);
  ASSERT_EQ(Load(source).kind, Kind::kUnchanged);
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  EXPECT_EQ(table_.router().Find("m", "").value()->config().max_batch_size, 0);
}

TEST_F(ModelLoadTest, UploadsNeedNoDirectory) {
  LoadSource source = Source("new");
  source.dir.clear();
  source.request.files = {{"1/file", "content"}};
  EXPECT_EQ(Load(source).reason.message(),
            "Load parameter 'config' must be specified for model file override");
  source.request.config = R"({"backend":"test"})";
  EXPECT_EQ(Load(source).kind, Kind::kLoaded);
  EXPECT_EQ(IndexTexts(), Texts{"new:1 READY"});
}

TEST_F(ModelLoadTest, ReasonsNameTheRepositorysFiles) {
  WriteModel("m");
  WriteConfig("m", {}, "no_such_field: 1");
  const LoadOutcome outcome = Load();
  EXPECT_EQ(outcome.kind, Kind::kUnusable);
  EXPECT_NE(outcome.reason.message().find(models() + "/m/config.pbtxt"), std::string::npos);
  EXPECT_EQ(outcome.reason.message().find(area_->dir()), std::string::npos);
}

TEST_F(ModelLoadTest, NothingStaysOfCopiesOfLoadsThatFailed) {
  WriteModel("m", {1}, {{"fail", "no"}});
  EXPECT_EQ(Load().kind, Kind::kFailed);
  WriteConfig("m", {}, "instance_group { kind: KIND_GPU }");
  EXPECT_EQ(Load().kind, Kind::kFailed);
  size_t left = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(area_->dir())) {
    ++left;
  }
  EXPECT_EQ(left, 1U);  // the lock
}

TEST_F(ModelLoadTest, GpusAreThoseTheServerHas) {
  WriteModel("m");
  WriteConfig("m", {}, "instance_group { kind: KIND_GPU }");
  EXPECT_EQ(Load().reason.message(),
            "instance group m_0 of model m has kind KIND_GPU but no GPUs are available: use "
            "KIND_CPU or KIND_AUTO (in " +
                models() + "/m/config.pbtxt)");
  tools_.gpus = {0, 1};
  ASSERT_EQ(Load().kind, Kind::kLoaded);
  WriteConfig("m", {}, "instance_group { kind: KIND_GPU gpus: 7 }");
  EXPECT_NE(Load().reason.message().find("invalid or unsupported gpu id 7"), std::string::npos);
}

}  // namespace
}  // namespace pt::repo
