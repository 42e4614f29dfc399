// LoadFixture: what loads of a repository need, with a backend that does what a test says.
//
// A model's configuration tells its backend what to do, by parameter: `fail` (the reason), `wait`
// (until the gate of that name opens or the load is given up), `hang` (until the gate opens, deaf
// to everything else).
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "infer/scheduler.h"
#include "repo/model_load.h"
#include "repo/scratch.h"

namespace pt::repo::testing {

using namespace pt::testing;  // one word for both, whichever is in sight

// Doors by name, closed at first; all open when it goes.
class Gates {
 public:
  void Open(const std::string& name) {
    const std::lock_guard lock(mu_);
    open_.insert(name);
    changed_.notify_all();
  }
  // Also gives way when `control` (may be null) is cancelled.
  void Pass(const std::string& name, LoadControl* control) {
    if (control != nullptr) control->OnCancel([this, name](const Status&) { Open(name); });
    std::unique_lock lock(mu_);
    ++waiting_[name];
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_.count(name) > 0; });
  }
  // Until `count` have come to that door, ever.
  void AwaitWaiting(const std::string& name, int count = 1) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return waiting_[name] >= count; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::set<std::string> open_;
  std::map<std::string, int> waiting_;
};

// What the backend was asked, and how often; any thread.
class LoadLog {
 public:
  void Note(const std::string& what) {
    const std::lock_guard lock(mu_);
    ++counts_[what];
  }
  int count(const std::string& what) const {
    const std::lock_guard lock(mu_);
    const auto at = counts_.find(what);
    return at == counts_.end() ? 0 : at->second;
  }

 private:
  mutable std::mutex mu_;
  std::map<std::string, int> counts_;
};

class TestBackend final : public Backend {
 public:
  Result<std::unique_ptr<BackendInstance>> CreateInstance(int) override {
    return Internal("the fake scheduler makes none");
  }
};

// Loads don't ask models anything.
class IdleScheduler final : public Scheduler {
 public:
  Status Start() override { return {}; }
  void Submit(RequestList&&, LoopHost*) override {}
  int64_t queued() const override { return 0; }
  void Stop() override {}
};

class TestLoader final : public BackendLoader {
 public:
  TestLoader(VersionSource source, Gates* gates, LoadLog* log)
      : source_(std::move(source)), gates_(gates), log_(log) {}
  ~TestLoader() override {
    log_->Note("end " + source_.name + ":" + std::to_string(source_.version));
  }

  Result<std::string> CompleteConfig(const std::string& config_json) override {
    return config_json;
  }
  Result<std::unique_ptr<Backend>> Create(const ModelConfig& config) override {
    log_->Note("load " + config.name + ":" + std::to_string(config.version));
    if (const std::string* door = Find("wait")) gates_->Pass(*door, source_.control.get());
    if (const std::string* door = Find("hang")) gates_->Pass(*door, nullptr);
    if (const std::string* reason = Find("fail")) return Internal(*reason);
    return std::unique_ptr<Backend>(std::make_unique<TestBackend>());
  }

 private:
  const std::string* Find(const std::string& key) const {
    const auto at = source_.parameters.find(key);
    return at == source_.parameters.end() ? nullptr : &at->second;
  }

  const VersionSource source_;
  Gates* const gates_;
  LoadLog* const log_;
};

class LoadFixture : public ::testing::Test {
 protected:
  LoadFixture() {
    scratch_.MakeDir("models");
    auto area = FilesArea::Create(scratch_.dir());
    EXPECT_TRUE(area.ok());
    area_ = std::move(*area);
  }

  LoadTools Tools() {
    LoadTools tools;
    tools.opener = [this](const VersionSource& source) -> Result<std::unique_ptr<BackendLoader>> {
      return std::unique_ptr<BackendLoader>(std::make_unique<TestLoader>(source, &gates_, &log_));
    };
    tools.factory = [this](Model*, Backend*) -> Result<std::unique_ptr<Scheduler>> {
      return std::unique_ptr<Scheduler>(std::make_unique<IdleScheduler>());
    };
    tools.table = &table_;
    tools.area = area_.get();
    tools.logger = logger_.get();
    return tools;
  }

  std::string models() const { return scratch_.Path("models"); }
  // parameters: {{"fail", "no"}}.
  void WriteModel(const std::string& name, const std::vector<int>& versions = {1},
                  const std::map<std::string, std::string>& parameters = {},
                  const std::string& repository = "models") {
    WriteConfig(name, parameters, "", repository);
    for (const int version : versions) {
      scratch_.Write(repository + "/" + name + "/" + std::to_string(version) + "/file", "content");
    }
  }
  void WriteConfig(const std::string& name, const std::map<std::string, std::string>& parameters,
                   const std::string& more = "", const std::string& repository = "models") {
    std::string text = "backend: 'test' version_policy { all {} } " + more;
    for (const auto& [key, value] : parameters) {
      text += " parameters { key: '" + key + "' value { string_value: '" + value + "' } }";
    }
    scratch_.Write(repository + "/" + name + "/config.pbtxt", text);
  }

  std::vector<std::string> IndexTexts() const {
    static constexpr const char* kStates[] = {"LOADING", "READY", "UNLOADING", "UNAVAILABLE"};
    std::vector<std::string> texts;
    for (const IndexEntry& entry : table_.Index()) {
      texts.push_back(entry.name + ":" + entry.version + " " +
                      kStates[static_cast<int>(entry.state)] +
                      (entry.reason.empty() ? "" : " " + entry.reason));
    }
    return texts;
  }

  ::pt::testing::Scratch scratch_;
  Gates gates_;
  LoadLog log_;
  std::unique_ptr<Logger> logger_ = std::move(*Logger::Create(QuietLog()));
  std::unique_ptr<FilesArea> area_;
  VersionTable table_;

 private:
  static LogOptions QuietLog() {
    LogOptions options;
    options.info = false;
    options.warning = false;
    options.error = false;
    return options;
  }
};

}  // namespace pt::repo::testing
