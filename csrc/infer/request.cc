#include "infer/request.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "infer/reshape.h"

namespace pt {

InferRequest::~InferRequest() {
  if (is_answered_ || !responder_) return;
  Fail(Internal("the request was dropped before it was answered"));
}

bool InferRequest::WantsOutput(int index) const {
  return requested_outputs.empty() || std::find(requested_outputs.begin(), requested_outputs.end(),
                                                index) != requested_outputs.end();
}

bool InferRequest::TakesDeviceOutput(int index) const {
  return std::find(device_outputs.begin(), device_outputs.end(), index) != device_outputs.end();
}

void InferRequest::AwaitInputs() const {
  for (const RegionUse& use : regions) {
    if (!use.pending) continue;
    [[maybe_unused]] const Status told_later = use.pending->Wait();
  }
}

Status InferRequest::CheckRegions() const {
  for (const RegionUse& use : regions) {
    if (use.pending) PT_RETURN_IF_ERROR(use.pending->Wait());
    PT_RETURN_IF_ERROR(use.region->CheckIntact(use.offset, use.size));
  }
  return {};
}

void InferRequest::Respond(InferResponse&& response, Finality finality) {
  PT_DCHECK(!is_answered_);
  if (is_answered_) return;  // one final answer a request, also when a backend forgot
  if (counts_itself_ && response.status.ok() && !regions.empty()) {
    // Answered past the executor, which checks for all others.
    response.status = CheckRegions();
    if (!response.status.ok()) response.outputs.clear();
  }
  if (finality == Finality::kFinal) {
    is_answered_ = true;
    if (counts_itself_) {
      const bool was_cancelled = response.status.code() == Code::kCancelled;
      CountAnswer(response.status,
                  was_cancelled ? FailureReason::kCancelled : FailureReason::kBackend);
    }
  }
  ReshapeOutputs(model_->config(), &response);
  responder_->Send(std::move(response), finality);
}

void InferRequest::Fail(Status status, FailureReason reason) {
  if (is_answered_) return;
  is_answered_ = true;
  if (counts_itself_) CountAnswer(status, reason);
  InferResponse response;
  response.status = std::move(status);
  responder_->Send(std::move(response), Finality::kFinal);
}

void InferRequest::CountAnswer(const Status& status, FailureReason reason) {
  const Duration taken = std::chrono::steady_clock::now() - arrival;
  ModelStats& stats = model_->stats();
  if (status.ok()) {
    stats.AddSuccess(static_cast<uint64_t>(batch_size), taken);
  } else {
    stats.AddFailure(reason, taken);
  }
}

}  // namespace pt
