#include "repo/poll_policy.h"

#include <algorithm>

namespace pt::repo {

PollDecision PollPolicy::Seen(const Fingerprint& look, bool is_old, TimePoint now) {
  missing_since_.reset();
  if (!seen_ || *seen_ != look) {
    seen_ = look;
    since_ = is_old && !was_seen_ ? now - timing_.settle : now;
    failures_ = 0;
  }
  was_seen_ = true;
  if (is_under_way_ || seen_ == applied_) return {};
  TimePoint due = since_ + timing_.settle;
  if (failures_ > 0) due = std::max(due, retry_at_);
  if (now < due) return {PollAction::kNothing, due};
  is_under_way_ = true;
  return {PollAction::kLoad, kNoDeadline};
}

PollDecision PollPolicy::Missing(TimePoint now) {
  seen_.reset();
  if (!missing_since_) missing_since_ = now;
  if (is_under_way_) return {};
  // A directory that is replaced by two renames is away for a moment.
  const TimePoint due = *missing_since_ + timing_.settle;
  if (now < due) return {PollAction::kNothing, due};
  is_under_way_ = true;
  return {PollAction::kUnload, kNoDeadline};
}

// Since the load was decided another tree may have been seen: `tree` is the one it was for.
void PollPolicy::Loaded(const Fingerprint& tree) {
  is_under_way_ = false;
  applied_ = tree;
  failures_ = 0;
}

void PollPolicy::Failed(const Fingerprint& tree, TimePoint now) {
  is_under_way_ = false;
  if (seen_ != tree) return;
  const int doublings = std::min(failures_, 20);
  ++failures_;
  retry_at_ =
      now + std::min<Duration>(timing_.first_retry * (int64_t{1} << doublings), timing_.last_retry);
}

void PollPolicy::Changed() {
  is_under_way_ = false;
  seen_.reset();
}

void PollPolicy::Unloaded() {
  is_under_way_ = false;
  applied_.reset();
  was_seen_ = true;
}

}  // namespace pt::repo
