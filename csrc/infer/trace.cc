#include "infer/trace.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "infer/request.h"

namespace pt {
namespace {

// A larger tensor is named without its data: a trace is to be read.
constexpr size_t kMaxTensorBytes = size_t{16} << 20;

std::optional<TimePoint> First(const std::vector<Trace::Stamp>& stamps, TraceEvent event) {
  for (const Trace::Stamp& stamp : stamps) {
    if (stamp.event == event) return stamp.at;
  }
  return std::nullopt;
}

}  // namespace

void Trace::Mark(TraceEvent event, TimePoint at) {
  if (!subject.has_timestamps) return;
  MutexLock lock(&mu_);
  stamps_.push_back({event, at});
}

void Trace::AddTensor(TraceActivity activity, std::string_view name, const TensorView& tensor) {
  Tensor kept{activity, std::string(name), tensor};
  Slice& data = kept.tensor.data;
  if (data.size > kMaxTensorBytes) {
    data = {};
  } else if (data.owner && data.owner->is_client_memory()) {
    data = Slice::Copy(data.view());
  }
  MutexLock lock(&mu_);
  tensor_bytes_ += data.size;
  tensors_.push_back(std::move(kept));
}

void Trace::AddInputs(TraceActivity activity, const InferRequest& request) {
  const std::vector<TensorSpec>& specs = request.model().config().inputs;
  for (const InputTensor& input : request.inputs) {
    const TensorSpec& spec = specs[static_cast<size_t>(input.index)];
    TensorView tensor = input.tensor;
    if (spec.device >= 0) tensor.data = {};
    AddTensor(activity, spec.name, tensor);
  }
}

void Trace::Fail(const std::string& message) {
  MutexLock lock(&mu_);
  failure_ = message;
}

std::string Trace::failure() const {
  MutexLock lock(&mu_);
  return failure_;
}

std::vector<Trace::Stamp> Trace::TakeStamps() {
  std::vector<Stamp> stamps;
  {
    MutexLock lock(&mu_);
    stamps.swap(stamps_);
  }
  if (First(stamps, TraceEvent::kComputeStart) && !First(stamps, TraceEvent::kComputeEnd)) {
    const auto end = First(stamps, TraceEvent::kRequestEnd);
    const auto output = First(stamps, TraceEvent::kResponseComplete);
    if (end) {
      stamps.push_back({TraceEvent::kComputeOutputStart, output.value_or(*end)});
      stamps.push_back({TraceEvent::kComputeEnd, *end});
    }
  }
  std::stable_sort(stamps.begin(), stamps.end(), [](const Stamp& a, const Stamp& b) {
    return a.at != b.at ? a.at < b.at : a.event < b.event;
  });
  return stamps;
}

std::vector<Trace::Tensor> Trace::TakeTensors() {
  MutexLock lock(&mu_);
  return std::exchange(tensors_, {});
}

size_t Trace::tensor_bytes() const {
  MutexLock lock(&mu_);
  return tensor_bytes_;
}

}  // namespace pt
