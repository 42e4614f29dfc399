#include "repo/warmup.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "infer/execution_record.h"
#include "infer/validate.h"
#include "repo/warmup_sample.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using inference::ModelWarmup;

// More runs than this before the first request are a mistake in the configuration.
constexpr uint64_t kMaxRuns = 100'000;

// Waits for the last answer of one request; keeps the first error.
class Answer final : public Responder {
 public:
  void Send(InferResponse&& response, Finality finality) override EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (status_.ok()) status_ = std::move(response.status);
    if (finality != Finality::kFinal) return;
    is_final_ = true;
    cv_.NotifyAll();
  }

  Status Wait() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    while (!is_final_) cv_.Wait(&mu_);
    return status_;
  }

 private:
  Mutex mu_;
  CondVar cv_;
  Status status_ GUARDED_BY(mu_);
  bool is_final_ GUARDED_BY(mu_) = false;
};

void CountExecution(const Batch& batch, const ExecutionTimes& times, ModelStats* stats) {
  const TimePoint ended = std::chrono::steady_clock::now();
  ExecutionRecord record;
  record.batch_size = static_cast<uint64_t>(batch.size);
  record.requests = 1;
  AddTimes(times, batch.started, ended, &record);
  // A request that left the batch counts by itself.
  if (batch.requests.front() != nullptr) {
    AddEnded(batch.size, ended - batch.started, batch.responses.front().status.ok(), &record);
  }
  stats->AddExecution(record);
}

// One request alone, on this instance.
Status Execute(RequestPtr request, const RefPtr<Answer>& answer, BackendInstance* instance) {
  ModelStats& stats = request->handle()->stats();
  Batch batch;
  batch.size = request->batch_size;
  batch.started = request->arrival;
  request->EnterBatch();
  batch.requests.push_back(std::move(request));
  batch.responses.resize(1);
  ExecutionTimes times{batch.started, batch.started};
  instance->Execute(&batch, &times);
  CountExecution(batch, times, &stats);
  if (batch.requests.front() != nullptr) {
    batch.requests.front()->Respond(std::move(batch.responses.front()), Finality::kFinal);
  }
  batch.requests.clear();
  return answer->Wait();
}

class WarmInstance final : public BackendInstance {
 public:
  WarmInstance(std::unique_ptr<BackendInstance> inner, Model* model, const std::string& model_dir)
      : inner_(std::move(inner)), model_(model), model_dir_(model_dir) {}

  Status Start() override {
    PT_RETURN_IF_ERROR(inner_->Start());
    const Status status = WarmUp();
    if (!status.ok()) inner_->Stop();
    return status;
  }
  void Execute(Batch* batch, ExecutionTimes* times) override { inner_->Execute(batch, times); }
  void Follow(LoopHost* loop) override { inner_->Follow(loop); }
  void Unfollow() override { inner_->Unfollow(); }
  bool CanTake() const override { return inner_->CanTake(); }
  size_t Share(size_t waiting) const override { return inner_->Share(waiting); }
  bool Rest() override { return inner_->Rest(); }
  void Settle() override { inner_->Settle(); }
  void Stop() override { inner_->Stop(); }

 private:
  Status WarmUp();
  Status RunSample(const ModelWarmup& sample);
  Status RunOnce(const NamedInputs& inputs);

  const std::unique_ptr<BackendInstance> inner_;
  Model* const model_;
  const std::string& model_dir_;  // the backend's
};

Status WarmInstance::WarmUp() {
  inference::ModelConfig config;
  if (!config.ParseFromString(model_->config().document_proto)) {
    return Internal("unreadable configuration of model '" + model_->name() + "'");
  }
  for (const ModelWarmup& sample : config.model_warmup()) PT_RETURN_IF_ERROR(RunSample(sample));
  return {};
}

Status WarmInstance::RunSample(const ModelWarmup& sample) {
  const std::string failed = "failed to run warmup sample '" + sample.name() + "': ";
  if (sample.batch_size() == 0) return {};
  const bool is_batching = model_->config().max_batch_size > 0;
  // Without a batch dimension, a batch is that many requests one after the other.
  const uint64_t runs = uint64_t{std::max<uint32_t>(1, sample.count())} *
                        (is_batching ? 1 : uint64_t{sample.batch_size()});
  if (runs > kMaxRuns) {
    return InvalidArgument(failed + "expected at most " + std::to_string(kMaxRuns) + " runs, got " +
                           std::to_string(runs));
  }
  PT_ASSIGN_OR_RETURN(const NamedInputs inputs,
                      MakeWarmUpInputs(sample, model_dir_, is_batching ? sample.batch_size() : 0));
  for (uint64_t i = 0; i < runs; ++i) {
    const Status status = RunOnce(inputs);
    if (!status.ok()) return {status.code(), failed + status.message()};
  }
  return {};
}

Status WarmInstance::RunOnce(const NamedInputs& inputs) {
  ModelHandle handle = model_->Acquire();
  if (!handle) return Unavailable("the model is being unloaded");
  const auto answer = MakeRef<Answer>();
  auto request = std::make_unique<InferRequest>(std::move(handle), RefPtr<Responder>());
  request->id = "warmup";
  request->arrival = std::chrono::steady_clock::now();
  PT_RETURN_IF_ERROR(FillInputs(NamedInputs(inputs), request.get()));
  request->AnswerTo(answer);
  return ::pt::repo::Execute(std::move(request), answer, inner_.get());
}

class WarmBackend final : public Backend {
 public:
  WarmBackend(std::unique_ptr<Backend> inner, Model* model, std::string model_dir)
      : model_dir_(std::move(model_dir)), model_(model), inner_(std::move(inner)) {}

  Result<std::unique_ptr<BackendInstance>> CreateInstance(int ordinal) override {
    PT_ASSIGN_OR_RETURN(auto instance, inner_->CreateInstance(ordinal));
    return std::unique_ptr<BackendInstance>(
        std::make_unique<WarmInstance>(std::move(instance), model_, model_dir_));
  }
  void Drain() override { inner_->Drain(); }
  bool RunsElsewhere() const override { return inner_->RunsElsewhere(); }
  void Abandon() override { inner_->Abandon(); }
  Status Health() const override { return inner_->Health(); }
  bool CanChange() const override { return inner_->CanChange(); }
  Result<InstanceChange> PlanChange(const ModelConfig& config,
                                    const std::shared_ptr<LoadControl>& control) override {
    return inner_->PlanChange(config, control);
  }
  void OnLeaving(int ordinal) override { inner_->OnLeaving(ordinal); }
  void Forget(int ordinal) override { inner_->Forget(ordinal); }

 private:
  const std::string model_dir_;
  Model* const model_;
  const std::unique_ptr<Backend> inner_;
};

}  // namespace

std::unique_ptr<Backend> WithWarmUp(std::unique_ptr<Backend> inner, Model* model,
                                    std::string model_dir) {
  inference::ModelConfig config;
  const bool is_read = config.ParseFromString(model->config().document_proto);
  if (is_read && config.model_warmup().empty()) return inner;
  return std::make_unique<WarmBackend>(std::move(inner), model, std::move(model_dir));
}

}  // namespace pt::repo
