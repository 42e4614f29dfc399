// Fakes of the infer interfaces: a responder that records, a scheduler that keeps what it gets.
//
// Thread rule: not thread-safe unless said.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "infer/backend.h"
#include "infer/model.h"
#include "infer/request.h"
#include "infer/scheduler.h"

namespace pt::testing {

class FakeResponder final : public Responder {
 public:
  struct Sent {
    InferResponse response;
    Finality finality;
  };

  void Send(InferResponse&& response, Finality finality) override {
    sent.push_back({std::move(response), finality});
  }

  std::vector<Sent> sent;
};

// What a FakeScheduler saw; outlives it.
struct SchedulerLog {
  Status start_status;
  int starts = 0;
  std::atomic<int> stops{0};      // models stop on threads of their own
  std::vector<size_t> submitted;  // sizes of the lists
  RequestList kept;
  std::function<void()> on_submit;
};

class FakeScheduler final : public Scheduler {
 public:
  explicit FakeScheduler(SchedulerLog* log) : log_(log) {}
  Status Start() override {
    ++log_->starts;
    return log_->start_status;
  }
  void Submit(RequestList&& requests, LoopHost*) override {
    log_->submitted.push_back(requests.size());
    for (RequestPtr& request : requests) log_->kept.push_back(std::move(request));
    if (log_->on_submit) log_->on_submit();
  }
  int64_t queued() const override { return static_cast<int64_t>(log_->kept.size()); }
  void Stop() override { ++log_->stops; }

 private:
  SchedulerLog* const log_;
};

inline TensorSpec Spec(std::string name, DataType type, Shape dims, bool is_optional = false) {
  TensorSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.dims = std::move(dims);
  spec.is_optional = is_optional;
  return spec;
}

inline ModelConfig NamedConfig(std::string name, int64_t version = 1) {
  ModelConfig config;
  config.name = std::move(name);
  config.version = version;
  return config;
}

}  // namespace pt::testing
