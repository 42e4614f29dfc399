#include "repo/repository.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <thread>

#include "infer/fakes.h"

namespace pt::repo {
namespace {

using testing::FakeResponder;
using testing::FakeScheduler;
using testing::NamedConfig;
using testing::SchedulerLog;

class RepositoryTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Scheduler>> MakeScheduler(Model* model) {
    if (factory_hook_) factory_hook_();
    if (!factory_status_.ok()) return factory_status_;
    return std::unique_ptr<Scheduler>(std::make_unique<FakeScheduler>(&logs_[model->name()]));
  }

  std::vector<std::string> IndexTexts() const {
    static constexpr const char* kStates[] = {"LOADING", "READY", "UNLOADING", "UNAVAILABLE"};
    std::vector<std::string> texts;
    for (const IndexEntry& entry : repository_.Index()) {
      texts.push_back(entry.name + ":" + entry.version + " " +
                      kStates[static_cast<int>(entry.state)] +
                      (entry.reason.empty() ? "" : " " + entry.reason));
    }
    return texts;
  }

  Status Add(const std::string& name, int64_t version = 1) {
    return repository_.AddModel(NamedConfig(name, version), nullptr);
  }

  std::map<std::string, SchedulerLog> logs_;
  Status factory_status_;
  std::function<void()> factory_hook_;
  Repository repository_{[this](Model* model, Backend*) { return MakeScheduler(model); }};
};

using Texts = std::vector<std::string>;

TEST_F(RepositoryTest, ServesWhatWasAdded) {
  ASSERT_TRUE(Add("b").ok());
  ASSERT_TRUE(Add("a", 2).ok());
  ASSERT_TRUE(Add("a", 10).ok());
  EXPECT_EQ(IndexTexts(), (Texts{"a:2 READY", "a:10 READY", "b:1 READY"}));
  EXPECT_EQ(repository_.router().Find("a", "").value()->version(), 10);
  EXPECT_TRUE(repository_.IsReady());
  EXPECT_EQ(logs_["b"].starts, 1);
}

TEST_F(RepositoryTest, RefusesTheSameVersionTwice) {
  ASSERT_TRUE(Add("a").ok());
  const Status status = Add("a");
  EXPECT_EQ(status.code(), Code::kAlreadyExists);
  EXPECT_EQ(status.message(), "model 'a' version 1 is served already");
  EXPECT_EQ(IndexTexts(), Texts{"a:1 READY"});
}

TEST_F(RepositoryTest, NothingStaysOfAModelThatDidNotStart) {
  logs_["a"].start_status = Unavailable("no such device");
  EXPECT_EQ(Add("a").message(), "no such device");
  EXPECT_EQ(IndexTexts(), Texts{});
  EXPECT_EQ(repository_.router().Find("a", "").status().message(),
            "Request for unknown model: 'a' is not found");
  factory_status_ = InvalidArgument("bad config");
  EXPECT_EQ(Add("b").message(), "bad config");
  EXPECT_EQ(IndexTexts(), Texts{});
}

TEST_F(RepositoryTest, IsKnownButNotReadyWhileItLoads) {
  factory_hook_ = [&] {
    EXPECT_EQ(IndexTexts(), Texts{"a:1 LOADING"});
    EXPECT_FALSE(repository_.IsReady());
    EXPECT_EQ(repository_.router().Find("a", "").status().message(),
              "Request for unknown model: 'a' has no available versions");
    EXPECT_EQ(repository_.RemoveModel("a", 1).code(), Code::kNotFound);
  };
  EXPECT_TRUE(Add("a").ok());
}

TEST_F(RepositoryTest, AnUnloadedModelStaysInTheIndex) {
  ASSERT_TRUE(Add("a").ok());
  ASSERT_TRUE(repository_.RemoveModel("a", 1).ok());
  EXPECT_GE(logs_["a"].stops, 1);
  EXPECT_EQ(IndexTexts(), Texts{"a:1 UNAVAILABLE unloaded"});
  EXPECT_TRUE(repository_.IsReady()) << "nobody wishes for it any more";
  EXPECT_EQ(repository_.router().Find("a", "").status().message(),
            "Request for unknown model: 'a' has no available versions");
  EXPECT_EQ(repository_.RemoveModel("a", 1).code(), Code::kNotFound);
  ASSERT_TRUE(Add("a").ok());
  EXPECT_EQ(IndexTexts(), Texts{"a:1 READY"});
}

TEST_F(RepositoryTest, RemoveWaitsForTheLastRequest) {
  ASSERT_TRUE(Add("a").ok());
  ModelHandle user = repository_.router().Find("a", "1").value();
  EXPECT_EQ(repository_.InFlight(), 1);
  std::future<Status> removed =
      std::async(std::launch::async, [&] { return repository_.RemoveModel("a", 1); });
  // The router forgets it first.
  while (repository_.router().Find("a", "1").ok()) std::this_thread::yield();
  EXPECT_EQ(IndexTexts(), Texts{"a:1 UNLOADING"});
  EXPECT_EQ(logs_["a"].stops, 0) << "it still answers its last request";
  user = ModelHandle();
  EXPECT_TRUE(removed.get().ok());
  EXPECT_EQ(repository_.InFlight(), 0);
}

TEST_F(RepositoryTest, LoadsAnewWhileTheOldOneDrains) {
  ASSERT_TRUE(Add("a").ok());
  ModelHandle user = repository_.router().Find("a", "1").value();
  std::future<Status> removed =
      std::async(std::launch::async, [&] { return repository_.RemoveModel("a", 1); });
  while (repository_.router().Find("a", "1").ok()) std::this_thread::yield();
  ASSERT_TRUE(Add("a").ok());
  EXPECT_EQ(IndexTexts(), Texts{"a:1 READY"});
  const ModelHandle fresh = repository_.router().Find("a", "1").value();
  EXPECT_NE(fresh.get(), user.get());
  EXPECT_GT(fresh->generation(), user->generation());
  user = ModelHandle();
  EXPECT_TRUE(removed.get().ok());
  EXPECT_EQ(IndexTexts(), Texts{"a:1 READY"});
}

TEST_F(RepositoryTest, VisitsReadyVersionsInOrderAndPinned) {
  ASSERT_TRUE(Add("b").ok());
  ASSERT_TRUE(Add("a", 2).ok());
  ASSERT_TRUE(Add("a", 1).ok());
  Texts visited;
  repository_.ForEachReady([&](Model& model) {
    EXPECT_EQ(model.users(), 1);
    visited.push_back(model.name() + model.version_text());
  });
  EXPECT_EQ(visited, (Texts{"a1", "a2", "b1"}));
}

TEST_F(RepositoryTest, LookupsAreSafeWhileVersionsComeAndGo) {
  std::atomic<bool> is_over{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!is_over) {
        Result<ModelHandle> found = repository_.router().Find("a", "");
        if (!found.ok()) continue;
        EXPECT_EQ(found.value()->name(), "a");
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Add("a").ok());
    ASSERT_TRUE(repository_.RemoveModel("a", 1).ok());
  }
  is_over = true;
  for (std::thread& reader : readers) reader.join();
}

TEST_F(RepositoryTest, DestructionStopsEveryModel) {
  SchedulerLog log;
  {
    Repository repository([&log](Model*, Backend*) -> Result<std::unique_ptr<Scheduler>> {
      return std::unique_ptr<Scheduler>(std::make_unique<FakeScheduler>(&log));
    });
    ASSERT_TRUE(repository.AddModel(NamedConfig("a"), nullptr).ok());
    ASSERT_TRUE(repository.AddModel(NamedConfig("b"), nullptr).ok());
  }
  EXPECT_GE(log.stops, 2);
}

}  // namespace
}  // namespace pt::repo
