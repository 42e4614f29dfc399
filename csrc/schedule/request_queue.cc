#include "schedule/request_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "infer/validate.h"

namespace pt::schedule {
namespace {

Status CancelledStatus() {
  return Cancelled("request was cancelled by its client while it waited");
}

size_t LevelCount(const ModelConfig& config) {
  if (config.scheduler != SchedulerKind::kDynamic) return 1;
  return std::max<size_t>(1, config.dynamic_batching.priority_levels);
}

}  // namespace

RequestQueue::RequestQueue(const ModelConfig& config)
    : default_level_(std::max<uint32_t>(1, config.dynamic_batching.default_priority_level)),
      levels_(LevelCount(config)) {
  if (config.scheduler != SchedulerKind::kDynamic) return;
  const DynamicBatching& batching = config.dynamic_batching;
  for (size_t i = 0; i < levels_.size(); ++i) {
    const auto own = batching.priority_queue_policies.find(static_cast<uint32_t>(i + 1));
    levels_[i].policy =
        own != batching.priority_queue_policies.end() ? own->second : batching.default_queue_policy;
  }
}

RequestQueue::Level& RequestQueue::LevelOf(uint32_t priority) {
  if (priority == 0 || priority > levels_.size()) priority = default_level_;
  return levels_[std::min<size_t>(priority, levels_.size()) - 1];
}

// The client's own `timeout` may only shorten what the policy allows; without a policy it counts
// alone.
TimePoint RequestQueue::TimeoutOf(const QueuePolicy& policy, const InferRequest& request) {
  uint64_t timeout_us = policy.default_timeout_us;
  const bool may_override = policy.allow_timeout_override || policy.default_timeout_us == 0;
  if (may_override && request.timeout_us != 0 &&
      (timeout_us == 0 || request.timeout_us < timeout_us)) {
    timeout_us = request.timeout_us;
  }
  constexpr uint64_t kForever = uint64_t{1} << 52;  // 142 years in microseconds
  if (timeout_us == 0 || timeout_us > kForever) return kNoDeadline;
  return request.arrival + std::chrono::microseconds(timeout_us);
}

void RequestQueue::Push(RequestPtr request, TimePoint now, DroppedList* dropped) {
  Level& level = LevelOf(request->priority);
  const uint32_t limit = level.policy.max_queue_size;
  if (limit != 0 && level.waiting.size() + level.delayed.size() >= limit) {
    Sweep(now, dropped);  // the dead must not keep the living out
    if (level.waiting.size() + level.delayed.size() >= limit) {
      Status full = Unavailable(RequestIdPrefix(request->id) + "Exceeds maximum queue size");
      dropped->push_back({std::move(request), std::move(full), FailureReason::kRejected});
      return;
    }
  }
  Waiting waiting{std::move(request), kNoDeadline, false};
  waiting.timeout = TimeoutOf(level.policy, *waiting.request);
  next_expiry_ = std::min({next_expiry_, waiting.timeout, waiting.request->deadline});
  level.waiting.push_back(std::move(waiting));
  ++size_;
}

bool RequestQueue::DropIfDead(Waiting* waiting, TimePoint now, DroppedList* dropped) {
  InferRequest& request = *waiting->request;
  if (request.is_cancelled()) {
    dropped->push_back({std::move(waiting->request), CancelledStatus(), FailureReason::kCancelled});
  } else if (request.deadline <= now) {
    dropped->push_back({std::move(waiting->request),
                        DeadlineExceeded("the client's deadline passed while the request waited"),
                        FailureReason::kRejected});
  } else if (!waiting->is_delayed && waiting->timeout <= now) {
    dropped->push_back({std::move(waiting->request), Unavailable("Request timeout expired"),
                        FailureReason::kRejected});
  } else {
    return false;
  }
  return true;
}

bool RequestQueue::OfferFrom(Level* level, std::deque<Waiting>* waiting, BatchForm* form,
                             TimePoint now, DroppedList* dropped) {
  const bool may_expire = next_expiry_ <= now;
  for (size_t i = 0; i < waiting->size();) {
    Waiting& next = (*waiting)[i];
    const bool is_late = may_expire && !next.is_delayed && next.timeout <= now;
    if (is_late && level->policy.timeout_action == TimeoutAction::kDelay) {
      next.is_delayed = true;
      level->delayed.push_back(std::move(next));
      waiting->erase(waiting->begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    if ((may_expire || next.request->is_cancelled()) && DropIfDead(&next, now, dropped)) {
      waiting->erase(waiting->begin() + static_cast<std::ptrdiff_t>(i));
      --size_;
      continue;
    }
    if (!form->Offer(*next.request)) return false;
    ++i;
  }
  return true;
}

BatchDecision RequestQueue::Take(const BatchLimits& limits, TimePoint now, RequestList* batch,
                                 DroppedList* dropped, size_t most) {
  if (size_ == 0) return {};
  BatchForm form(&limits, most);
  // Delayed requests run only when nothing unexpired of the same or a higher priority remains.
  for (Level& level : levels_) {
    if (!OfferFrom(&level, &level.waiting, &form, now, dropped)) break;
    if (!OfferFrom(&level, &level.delayed, &form, now, dropped)) break;
  }
  const BatchDecision decision = form.Decide(now);
  if (decision.take > 0) MoveTo(batch, decision.take);
  if (size_ == 0) next_expiry_ = kNoDeadline;
  return decision;
}

void RequestQueue::MoveTo(RequestList* batch, size_t count) {
  size_ -= count;
  for (Level& level : levels_) {
    for (std::deque<Waiting>* waiting : {&level.waiting, &level.delayed}) {
      while (count > 0 && !waiting->empty()) {
        batch->push_back(std::move(waiting->front().request));
        waiting->pop_front();
        --count;
      }
    }
  }
}

void RequestQueue::Sweep(TimePoint now, DroppedList* dropped) {
  next_expiry_ = kNoDeadline;
  for (Level& level : levels_) {
    const bool delays = level.policy.timeout_action == TimeoutAction::kDelay;
    for (std::deque<Waiting>* waiting : {&level.waiting, &level.delayed}) {
      std::deque<Waiting> kept;
      for (Waiting& next : *waiting) {
        // A late request under kDelay is moved behind the others when a batch is formed.
        if (delays && next.timeout <= now) next.is_delayed = true;
        if (DropIfDead(&next, now, dropped)) continue;
        if (!next.is_delayed) next_expiry_ = std::min(next_expiry_, next.timeout);
        next_expiry_ = std::min(next_expiry_, next.request->deadline);
        kept.push_back(std::move(next));
      }
      size_ -= waiting->size() - kept.size();
      *waiting = std::move(kept);
    }
    if (!delays) continue;
    const auto late = std::stable_partition(level.waiting.begin(), level.waiting.end(),
                                            [](const Waiting& w) { return !w.is_delayed; });
    std::move(late, level.waiting.end(), std::back_inserter(level.delayed));
    level.waiting.erase(late, level.waiting.end());
  }
}

void RequestQueue::Clear(const Status& status, DroppedList* dropped) {
  for (Level& level : levels_) {
    for (std::deque<Waiting>* waiting : {&level.waiting, &level.delayed}) {
      for (Waiting& next : *waiting) {
        dropped->push_back({std::move(next.request), status, FailureReason::kOther});
      }
      waiting->clear();
    }
  }
  size_ = 0;
  next_expiry_ = kNoDeadline;
}

}  // namespace pt::schedule
