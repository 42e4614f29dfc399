// A model version without threads, and requests whose answers are recorded.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "infer/model.h"
#include "infer/request.h"
#include "infer/scheduler.h"

namespace pt::schedule {

// What came back, shared between a test and its requests.
struct Answers {
  struct Answer {
    std::string id;
    Status status;
  };

  void Add(Answer answer) EXCLUDES(mu) {
    MutexLock lock(&mu);
    list.push_back(std::move(answer));
    changed.NotifyAll();
  }
  // Blocks until `count` answers have come.
  std::vector<Answer> WaitFor(size_t count) EXCLUDES(mu) {
    MutexLock lock(&mu);
    while (list.size() < count) changed.Wait(&mu);
    return list;
  }
  size_t count() const EXCLUDES(mu) {
    MutexLock lock(&mu);
    return list.size();
  }

  mutable Mutex mu;
  CondVar changed;
  std::vector<Answer> list GUARDED_BY(mu);
};

class RecordingResponder final : public Responder {
 public:
  RecordingResponder(std::string id, Answers* answers) : id_(std::move(id)), answers_(answers) {}
  void Send(InferResponse&& response, Finality) override {
    answers_->Add({id_, std::move(response.status)});
  }

 private:
  const std::string id_;
  Answers* const answers_;
};

struct FakeModel {
  explicit FakeModel(int64_t max_batch_size, Shape dims = Shape{4}) {
    config.name = "fake";
    config.max_batch_size = max_batch_size;
    config.scheduler = SchedulerKind::kDynamic;
    config.inputs.push_back({"IN", DataType::kFp32, std::move(dims), false, false, {}});
    config.outputs.push_back({"OUT", DataType::kFp32, Shape{4}, false, false, {}});
  }

  // The Model is made at first use, so that a test can change `config` before.
  Model& model() {
    if (!made_) made_ = std::make_unique<Model>(config, 1);
    return *made_;
  }

  RequestPtr Request(int64_t batch_size, TimePoint arrival, std::string id = "") {
    RequestPtr request = RequestOfShape(Shape{batch_size, 4}, arrival, std::move(id));
    request->batch_size = batch_size;
    return request;
  }

  RequestPtr RequestOfShape(Shape shape, TimePoint arrival, std::string id = "") {
    auto request = std::make_unique<InferRequest>(model().Acquire(),
                                                  MakeRef<RecordingResponder>(id, &answers));
    request->id = std::move(id);
    request->arrival = arrival;
    request->batch_size = shape[0];
    request->inputs.push_back({0, {DataType::kFp32, std::move(shape), Slice()}});
    return request;
  }

  ModelConfig config;
  Answers answers;

 private:
  std::unique_ptr<Model> made_;
};

}  // namespace pt::schedule
