#include "repo/version_table.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "infer/fakes.h"
#include "repo/model_key.h"

namespace pt::repo {
namespace {

using VersionRows = std::vector<std::string>;

// Holds up the stops of the models that it is given to.
class Brake {
 public:
  void Release() {
    const std::lock_guard lock(mu_);
    is_released_ = true;
    changed_.notify_all();
  }
  void Stop() {
    std::unique_lock lock(mu_);
    ++stopping_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_released_; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool is_released_ = false;
  int stopping_ = 0;
};

class BrakedScheduler final : public Scheduler {
 public:
  explicit BrakedScheduler(Brake* brake) : brake_(brake) {}
  Status Start() override { return {}; }
  void Submit(RequestList&&, LoopHost*) override {}
  int64_t queued() const override { return 0; }
  void Stop() override {
    if (brake_ != nullptr) std::exchange(brake_, nullptr)->Stop();
  }

 private:
  Brake* brake_;
};

class VersionTableTest : public ::testing::Test {
 protected:
  void Serve(const std::string& key, int64_t version, const std::vector<int64_t>& retire = {},
             Brake* brake = nullptr) {
    const auto generation = table_.Begin(key, version, Owner::kFiles);
    ASSERT_TRUE(generation.ok());
    auto model =
        std::make_unique<Model>(testing::NamedConfig(std::string(NameOfKey(key)), version), 1);
    model->Attach(nullptr, std::make_unique<BrakedScheduler>(brake));
    std::vector<ReadyVersion> ready(1);
    ready[0].generation = *generation;
    ready[0].model = std::move(model);
    table_.Publish(key, std::move(ready), {key, retire, Trace::kUnloaded});
  }
  VersionRows Rows() const {
    VersionRows rows;
    for (const IndexEntry& entry : table_.Index()) {
      rows.push_back(entry.version + (entry.reason.empty() ? "" : " " + entry.reason));
    }
    return rows;
  }
  void AwaitRows(size_t count) const {
    while (table_.Index().size() > count) std::this_thread::yield();
  }

  Brake brake_;  // the table waits for who stands on it
  VersionTable table_;
};

TEST_F(VersionTableTest, KeepsTheLatestTracesOfAModel) {
  const int64_t flips = 3 * static_cast<int64_t>(kMaxTraces);
  for (int64_t version = 1; version <= flips; ++version) {
    Serve("m", version, {version - 1});
  }
  AwaitRows(kMaxTraces + 1);
  const VersionRows rows = Rows();
  EXPECT_EQ(rows.back(), std::to_string(flips));
  EXPECT_EQ(rows.front(), std::to_string(flips - static_cast<int64_t>(kMaxTraces)) + " unloaded");
}

TEST_F(VersionTableTest, KeepsTheLatestFailures) {
  Serve("m", 1);
  for (int64_t version = 2; version <= 100; ++version) {
    const auto generation = table_.Begin("m", version, Owner::kFiles);
    table_.Fail("m", *generation, Internal("no"));
  }
  const VersionRows rows = Rows();
  EXPECT_EQ(rows.size(), kMaxTraces + 1);
  EXPECT_EQ(rows.front(), "1");
  EXPECT_EQ(rows.back(), "100 Internal: no");
}

TEST_F(VersionTableTest, WhatIsNoLongerLoadingCantFail) {
  const auto generation = table_.Begin("m", 1, Owner::kFiles);
  table_.Fail("m", *generation, Unavailable("given up"));
  table_.Fail("m", *generation, Internal("too late"));
  table_.Drop("m", *generation);
  EXPECT_EQ(Rows(), VersionRows{"1 Unavailable: given up"});
}

TEST_F(VersionTableTest, StopsThatHangHoldUpNoOther) {
  // More than there are threads for.
  for (int number = 0; number < 40; ++number) {
    const std::string name = "slow" + std::to_string(number);
    Serve(name, 1, {}, &brake_);
    EXPECT_EQ(table_.Retire({name, {1}, Trace::kNone}, {}), 1);
  }
  Serve("m", 1);
  std::promise<void> gone;
  EXPECT_EQ(table_.Retire({"m", {1}, Trace::kNone}, [&] { gone.set_value(); }), 1);
  gone.get_future().wait();
  brake_.Release();
}

TEST_F(VersionTableTest, NamespacesShareANameInTheIndexAndTheRouter) {
  Serve("/a/m", 1);
  EXPECT_EQ(table_.router().Find("m", "").value()->version(), 1);
  Serve("/b/m", 2);
  for (const IndexEntry& entry : table_.Index()) EXPECT_EQ(entry.name, "m");
  EXPECT_EQ(table_.router().Find("m", "").status().code(), Code::kInvalidArgument);
  std::vector<std::string> spaces;
  table_.ForEachReady([&](Model& model, std::string_view space) { spaces.emplace_back(space); });
  EXPECT_EQ(spaces, (VersionRows{"/a", "/b"}));
}

}  // namespace
}  // namespace pt::repo
