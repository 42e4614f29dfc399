#include "schedule/batch_policy.h"

#include <algorithm>

namespace pt::schedule {
namespace {

bool HasAnyDim(const Shape& dims) {
  return std::any_of(dims.dims().begin(), dims.dims().end(), [](int64_t d) { return d < 0; });
}

// Requests of this model may differ in shape or in which inputs they bring.
bool MayDiffer(const ModelConfig& config) {
  return std::any_of(config.inputs.begin(), config.inputs.end(), [](const TensorSpec& input) {
    return input.is_optional || (!input.allows_ragged && HasAnyDim(input.dims));
  });
}

// Equal but for the first (batch) dimension.
bool SameRowShape(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank()) return false;
  for (int axis = 1; axis < a.rank(); ++axis) {
    if (a[axis] != b[axis]) return false;
  }
  return true;
}

}  // namespace

BatchLimits BatchLimits::For(const ModelConfig& config) {
  BatchLimits limits;
  limits.max_size = std::max<int64_t>(1, config.max_batch_size);
  limits.one_request = config.scheduler == SchedulerKind::kDirect || config.max_batch_size == 0;
  if (limits.one_request) return limits;
  const DynamicBatching& batching = config.dynamic_batching;
  for (int32_t size : batching.preferred_batch_sizes) {
    if (size > 0 && size <= limits.max_size) limits.preferred_sizes.push_back(size);
  }
  std::sort(limits.preferred_sizes.begin(), limits.preferred_sizes.end());
  limits.max_delay = std::chrono::microseconds(batching.max_queue_delay_us);
  limits.must_match = MayDiffer(config);
  limits.config = &config;
  return limits;
}

bool BatchForm::Offer(const InferRequest& request) {
  if (is_closed_) return false;
  const bool joins = count_ == 0 || (size_ + request.batch_size <= limits_->max_size &&
                                     (!limits_->must_match || Matches(request)));
  if (!joins) {
    is_closed_ = true;
    return false;
  }
  if (count_ == 0) first_ = &request;
  ++count_;
  size_ += request.batch_size;
  oldest_ = std::min(oldest_, request.arrival);
  const auto& preferred = limits_->preferred_sizes;
  if (std::binary_search(preferred.begin(), preferred.end(), size_)) preferred_count_ = count_;
  if (limits_->one_request || count_ >= most_ || size_ >= limits_->max_size ||
      (!preferred.empty() && size_ >= preferred.back())) {
    is_closed_ = true;
  }
  return true;
}

bool BatchForm::Matches(const InferRequest& request) const {
  if (request.inputs.size() != first_->inputs.size()) return false;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const InputTensor& mine = request.inputs[i];
    const InputTensor& other = first_->inputs[i];
    if (mine.index != other.index) return false;
    if (limits_->config->inputs[mine.index].allows_ragged) continue;
    if (!SameRowShape(mine.tensor.shape, other.tensor.shape)) return false;
  }
  return true;
}

BatchDecision BatchForm::Decide(TimePoint now) const {
  if (count_ == 0) return {};
  if (preferred_count_ > 0) return {preferred_count_, kNoDeadline};
  if (is_closed_ || limits_->max_delay.count() == 0) return {count_, kNoDeadline};
  const TimePoint due = oldest_ + limits_->max_delay;
  if (now >= due) return {count_, kNoDeadline};
  return {0, due};
}

}  // namespace pt::schedule
