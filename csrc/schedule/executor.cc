#include "schedule/executor.h"

#include <utility>
#include <vector>

#include "infer/execution_record.h"

namespace pt::schedule {
namespace {

// What a model made of memory that was taken away under it is no answer.
void CheckRegions(Batch* batch) {
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    const InferRequest* request = batch->requests[i].get();
    InferResponse& response = batch->responses[i];
    if (request == nullptr || request->regions.empty() || !response.status.ok()) continue;
    response.status = request->CheckRegions();
    if (!response.status.ok()) response.outputs.clear();
  }
}

// The requests of a batch that are traced; the model may let go of them while it executes.
class TracedRequests {
 public:
  void Add(const InferRequest& request) {
    if (request.trace->subject.has_tensors) {
      request.trace->AddInputs(TraceActivity::kBackendInput, request);
    }
    traces_.push_back(request.trace);
  }

  void MarkExecution(const Batch& batch, const ExecutionTimes& times, TimePoint ended) const {
    for (const RefPtr<Trace>& trace : traces_) {
      trace->Mark(TraceEvent::kComputeStart, batch.started);
      trace->Mark(TraceEvent::kComputeInputEnd, times.input_end);
    }
    // What left the batch computes until it has answered.
    for (const RequestPtr& request : batch.requests) {
      if (request == nullptr || !request->trace) continue;
      request->trace->Mark(TraceEvent::kComputeOutputStart, times.infer_end);
      request->trace->Mark(TraceEvent::kComputeEnd, ended);
    }
  }

  bool empty() const { return traces_.empty(); }

 private:
  std::vector<RefPtr<Trace>> traces_;
};

}  // namespace

Duration ExecuteBatch(BackendInstance* instance, const Clock& clock, Batch* batch) {
  // Outlives this call: the model joins its instance threads before it goes.
  ModelStats& stats = batch->requests.front()->handle()->stats();
  ExecutionRecord& record = batch->record;
  record = ExecutionRecord();
  batch->size = 0;
  batch->is_handed_over = false;
  TracedRequests traced;
  for (const RequestPtr& request : batch->requests) {
    request->EnterBatch();
    request->AwaitInputs();
    batch->size += request->batch_size;
    if (request->trace) traced.Add(*request);
    const uint64_t waited = Nanoseconds(batch->started - request->arrival);
    record.queue_ns += waited;
    record.queue_us += waited / 1000;
  }
  record.requests = batch->requests.size();
  record.batch_size = static_cast<uint64_t>(batch->size);
  batch->responses.clear();
  batch->responses.resize(batch->requests.size());
  ExecutionTimes times{batch->started, batch->started};
  instance->Execute(batch, &times);
  CheckRegions(batch);
  const TimePoint ended = clock.Now();
  if (!traced.empty()) traced.MarkExecution(*batch, times, ended);

  if (batch->is_handed_over) return ended - batch->started;
  AddTimes(times, batch->started, ended, &record);
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    if (batch->requests[i] == nullptr) continue;
    const InferRequest& request = *batch->requests[i];
    AddEnded(request.batch_size, ended - request.arrival, batch->responses[i].status.ok(), &record);
  }
  stats.AddExecution(record);
  return ended - batch->started;
}

void SendAnswers(Batch* batch) {
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    if (batch->requests[i] == nullptr) continue;
    batch->requests[i]->Respond(std::move(batch->responses[i]), Finality::kFinal);
  }
  batch->requests.clear();
  batch->responses.clear();
}

void OrderedSender::Send(uint64_t ticket, Batch&& batch) {
  {
    MutexLock lock(&mu_);
    done_.emplace(ticket, std::move(batch));
    if (is_sending_) return;  // the one that sends will find it
    is_sending_ = true;
  }
  while (true) {
    Batch next;
    {
      MutexLock lock(&mu_);
      const auto it = done_.find(next_to_send_);
      if (it == done_.end()) {
        is_sending_ = false;
        return;
      }
      next = std::move(it->second);
      done_.erase(it);
      ++next_to_send_;
    }
    SendAnswers(&next);
  }
}

}  // namespace pt::schedule
