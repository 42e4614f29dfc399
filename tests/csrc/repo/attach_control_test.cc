// What becomes an ask, who answers it, and what goes on to the model repositories.
#include "repo/attach_control.h"

#include <gtest/gtest.h>

#include <thread>
#include <utility>

namespace pt::repo {
namespace {

constexpr char kRemote[] = R"({"name":"m","backend":"pytriton_remote"})";

// Notes what comes through.
class Inner final : public ModelControl {
 public:
  void Load(LoadRequest request, LoadDone done) override {
    loaded.push_back(request.name);
    done({});
  }
  void Unload(const std::string& name, UnloadDone done) override {
    unloaded.push_back(name);
    done(UnloadReport{});
  }
  void Refresh(LoadDone done) override { done({}); }
  void CompleteIndex(std::vector<IndexEntry>*) const override {}
  bool HasStarted() const override { return false; }
  bool HasMissing() const override { return true; }
  ControlMetrics metrics() const override { return {}; }

  std::vector<std::string> loaded;
  std::vector<std::string> unloaded;
};

LoadRequest LoadOf(std::string config) {
  LoadRequest request;
  request.name = "m";
  request.config = std::move(config);
  return request;
}

LoadDone Note(std::vector<Status>* answers) {
  return [answers](const Status& status) { answers->push_back(status); };
}

UnloadDone NoteEnd(std::vector<Status>* answers) {
  return [answers](const Result<UnloadReport>& report) { answers->push_back(report.status()); };
}

TEST(AttachControl, AsksForRemoteModelsAndAnswersTheirClients) {
  AttachControl control(nullptr);
  std::vector<Status> answers;
  control.Load(LoadOf(kRemote), Note(&answers));
  EXPECT_TRUE(answers.empty());
  const auto ask = control.Next();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->kind, AttachControl::Kind::kAttach);
  EXPECT_EQ(ask->name, "m");
  EXPECT_EQ(ask->config, kRemote);
  control.Answer(ask->id, InvalidArgument("no"));
  control.Answer(ask->id, {});  // too late
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].message(), "no");
}

TEST(AttachControl, HandsOtherLoadsOn) {
  Inner inner;
  AttachControl control(&inner);
  std::vector<Status> answers;
  control.Load(LoadOf(R"({"backend":"python","parameters":{"x":"pytriton_remote"}})"),
               Note(&answers));
  control.Load(LoadOf(R"({"backend":["pytriton_remote"]})"), Note(&answers));
  control.Load(LoadOf(R"(pytriton_remote)"), Note(&answers));
  LoadRequest plain;
  plain.name = "m";
  control.Load(plain, Note(&answers));
  EXPECT_EQ(inner.loaded.size(), 4U);
  EXPECT_EQ(answers.size(), 4U);
  EXPECT_FALSE(control.HasStarted());
  EXPECT_TRUE(control.HasMissing());
}

TEST(AttachControl, RefusesOtherLoadsWithoutRepositories) {
  AttachControl control(nullptr);
  std::vector<Status> answers;
  control.Load(LoadOf("{}"), Note(&answers));
  control.Unload("m", NoteEnd(&answers));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].code(), Code::kUnavailable);
  EXPECT_EQ(answers[1].code(), Code::kUnavailable);
  EXPECT_TRUE(control.HasStarted());
  EXPECT_FALSE(control.HasMissing());
}

TEST(AttachControl, UnloadsOfAttachedNamesAreAsks) {
  Inner inner;
  AttachControl control(&inner);
  std::vector<Status> answers;
  control.Load(LoadOf(kRemote), Note(&answers));
  control.Answer(control.Next()->id, {});
  control.Unload("m", NoteEnd(&answers));
  EXPECT_TRUE(inner.unloaded.empty());
  const auto ask = control.Next();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->kind, AttachControl::Kind::kDetach);
  control.Answer(ask->id, {});
  EXPECT_EQ(answers.size(), 2U);
  control.Unload("m", NoteEnd(&answers));
  EXPECT_EQ(inner.unloaded, std::vector<std::string>{"m"});
}

TEST(AttachControl, ForgetsWhatHasGoneByItself) {
  Inner inner;
  AttachControl control(&inner);
  std::vector<Status> answers;
  control.Load(LoadOf(kRemote), Note(&answers));
  control.Answer(control.Next()->id, {});
  control.Forget("m");
  control.Unload("m", NoteEnd(&answers));
  EXPECT_EQ(inner.unloaded, std::vector<std::string>{"m"});
}

TEST(AttachControl, CloseRefusesWhatWaitsAndWakesTheTaker) {
  AttachControl control(nullptr);
  std::vector<Status> answers;
  control.Load(LoadOf(kRemote), Note(&answers));
  ASSERT_TRUE(control.Next());
  std::thread taker([&control] { EXPECT_FALSE(control.Next()); });
  control.Close();
  taker.join();
  control.Load(LoadOf(kRemote), Note(&answers));
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].message(), "the server is stopping");
  EXPECT_EQ(answers[1].message(), "the server is stopping");
}

}  // namespace
}  // namespace pt::repo
