#include "repo/poll_source.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "repo/load_fixture.h"

namespace pt::repo {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// Files are written, the poller finds them by itself (inotify); the tests wait for what it does.
class PollSourceTest : public testing::LoadFixture {
 protected:
  void Watch(std::vector<std::string> repositories = {}) {
    if (repositories.empty()) repositories = {models()};
    ManagerOptions options;
    options.repositories = repositories;
    options.thread_count = 2;
    manager_ = std::make_unique<Manager>(options, Tools());
    PollOptions poll;
    poll.repositories = repositories;
    poll.interval = std::chrono::milliseconds(100);
    poll.settle = std::chrono::milliseconds(1);
    std::promise<PollView> first;
    source_ = std::make_unique<PollSource>(poll, manager_.get(), logger_.get(),
                                           [&](const PollView& view) { first.set_value(view); });
    first_ = first.get_future().get();
  }
  void TearDown() override {
    if (manager_ != nullptr) manager_->Close(kNoDeadline);
    source_.reset();
    manager_.reset();
  }

  Names Ready() const {
    Names names;
    for (const IndexEntry& entry : table_.Index()) {
      if (entry.state == VersionState::kReady) names.push_back(entry.name + ":" + entry.version);
    }
    return names;
  }
  void AwaitReady(const Names& names) const {
    while (Ready() != names) std::this_thread::yield();
  }
  std::string Problem(const std::string& name) const { return manager_->Problems()[name]; }
  void AwaitProblem(const std::string& name, const std::string& part) const {
    while (Problem(name).find(part) == std::string::npos) std::this_thread::yield();
  }
  // Whatever was written before has been looked at when a model that comes now is served.
  void AwaitALook() {
    const std::string name = "look" + std::to_string(++looks_);
    WriteModel(name);
    while (table_.ReadyVersions(name).empty()) std::this_thread::yield();
    EXPECT_TRUE(manager_->AwaitIdle(kNoDeadline));  // what it found beside that
  }

  std::unique_ptr<Manager> manager_;
  std::unique_ptr<PollSource> source_;
  PollView first_;
  int looks_ = 0;
};

TEST_F(PollSourceTest, TheFirstLookEndsWhenEverythingWasTried) {
  WriteModel("a");
  WriteModel("b", {1, 2});
  WriteModel("bad", {1}, {{"fail", "no"}});
  Watch();
  EXPECT_EQ(Ready(), (Names{"a:1", "b:1", "b:2"}));
  EXPECT_EQ(Problem("bad"), "Internal: no");
  EXPECT_EQ(first_.repository_of.size(), 3U);
}

TEST_F(PollSourceTest, ModelsAndVersionsComeAndGo) {
  Watch();
  WriteModel("m", {1});
  AwaitReady({"m:1"});
  scratch_.Write("models/m/2/file", "x");
  AwaitReady({"m:1", "m:2"});
  fs::remove_all(scratch_.Path("models/m/1"));
  AwaitReady({"m:2"});
  fs::remove_all(scratch_.Path("models/m"));
  while (!table_.Index().empty()) std::this_thread::yield();
  while (source_->view().repository_of.count("m") > 0) std::this_thread::yield();
}

TEST_F(PollSourceTest, WhatIsNoContentLoadsNothing) {
  WriteModel("m");
  Watch();
  for (const char* file :
       {"1/__pycache__/file.cpython-311.pyc", "1/.file.swp", "1/file~", "1/#file#", "1/4913",
        "1/x.pyc", "1/upload.part", "1/new.tmp", ".git/HEAD", ".hidden", "2_tmp/file",
        "20261123000000000000/file", ".config.pbtxt.swp"}) {
    scratch_.Write(std::string("models/m/") + file, "x");
  }
  scratch_.Write("models/.hidden/1/file", "x");
  scratch_.Write("models/README", "x");
  fs::create_symlink("user@host.1234:5678", scratch_.Path("models/m/.#file"));  // emacs locks
  AwaitALook();
  AwaitALook();  // a change that the first one saw would be loaded by now
  EXPECT_EQ(log_.count("load m:1"), 1);
  EXPECT_EQ(Ready(), (Names{"look1:1", "look2:1", "m:1"}));
  EXPECT_EQ(Problem("m"), "");
}

TEST_F(PollSourceTest, ARepositoryThatIsAwayFreezesWhatItServes) {
  WriteModel("m");
  WriteModel("n", {1}, {}, "others");
  Watch({models(), scratch_.Path("others")});
  fs::rename(models(), scratch_.Path("away"));
  while (source_->view().unreadable.empty()) std::this_thread::yield();
  fs::remove_all(scratch_.Path("others/n"));
  AwaitReady({"m:1"});  // the other one is read as ever
  EXPECT_EQ(source_->view().repository_of.at("m"), models());
  fs::rename(scratch_.Path("away"), models());
  while (!source_->view().unreadable.empty()) std::this_thread::yield();
  AwaitALook();
  EXPECT_EQ(log_.count("load m:1"), 1);
}

TEST_F(PollSourceTest, ALinkToNowhereConcernsItsModelOnly) {
  WriteModel("m");
  Watch();
  scratch_.Link("/nowhere/at/all", "models/dangling");
  AwaitProblem("dangling", "failed to stat file");
  fs::remove(scratch_.Path("models/m/1/file"));
  scratch_.Link("/nowhere/at/all", "models/m/1/file");
  AwaitProblem("m", "failed to stat file");
  EXPECT_EQ(Ready(), Names{"m:1"});
  fs::remove(scratch_.Path("models/m/1/file"));
  scratch_.Write("models/m/1/file", "mended");
  while (!Problem("m").empty()) std::this_thread::yield();
  EXPECT_EQ(log_.count("load m:1"), 2);
}

TEST_F(PollSourceTest, AModelThatBecomesDoubleServesOn) {
  WriteModel("m", {1});
  scratch_.MakeDir("others");
  Watch({models(), scratch_.Path("others")});
  WriteModel("m", {7}, {}, "others");
  AwaitProblem("m", "model appears in two or more repositories");
  EXPECT_EQ(Ready(), Names{"m:1"});
  fs::remove_all(scratch_.Path("models/m"));
  AwaitReady({"m:7"});
  while (!Problem("m").empty()) std::this_thread::yield();
}

TEST_F(PollSourceTest, FilesThatChangeDuringALoadAreLoadedAgain) {
  WriteModel("m", {1}, {{"wait", "door"}});
  std::thread editor([this] {
    gates_.AwaitWaiting("door");
    scratch_.Write("models/m/2/file", "late");
    gates_.Open("door");
  });
  Watch();
  editor.join();
  AwaitReady({"m:1", "m:2"});
  EXPECT_GE(manager_->metrics().discarded_loads, 1U);
}

TEST_F(PollSourceTest, BrokenContentIsTriedAgainAfterItsMend) {
  WriteModel("m");
  Watch();
  WriteConfig("m", {{"fail", "no memory"}});
  AwaitProblem("m", "no memory");
  EXPECT_EQ(Ready(), Names{"m:1"});
  WriteConfig("m", {{"mended", "yes"}});
  while (!Problem("m").empty()) std::this_thread::yield();
  EXPECT_EQ(Ready(), Names{"m:1"});
}

}  // namespace
}  // namespace pt::repo
