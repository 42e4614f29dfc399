// CachingScheduler: in front of a model's scheduler: answers from the cache what was answered
// before, and keeps the answers of the rest.
//
// Thread rule: as for Scheduler. Owner rule: owns the scheduler behind it; borrows model, clock and
// cache, which outlive it.
#pragma once

#include <memory>

#include "base/clock.h"
#include "infer/model.h"
#include "infer/scheduler.h"
#include "schedule/response_cache.h"

namespace pt::schedule {

class CachingScheduler final : public Scheduler {
 public:
  CachingScheduler(Model* model, const Clock* clock, ResponseCache* cache,
                   std::unique_ptr<Scheduler> behind);

  Status Start() override { return behind_->Start(); }
  void Submit(RequestList&& requests, LoopHost* host) override;
  int64_t queued() const override { return behind_->queued(); }
  bool CanHave(int count) const override { return behind_->CanHave(count); }
  Status Prepare(const std::vector<int>& ordinals) override { return behind_->Prepare(ordinals); }
  void Apply(const std::vector<int>& removed) override { behind_->Apply(removed); }
  void TakeBack() override { behind_->TakeBack(); }
  void Stop() override { behind_->Stop(); }

 private:
  // True when it was answered.
  bool AnswerFromCache(InferRequest* request);

  Model* const model_;
  const Clock* const clock_;
  ResponseCache* const cache_;
  const std::unique_ptr<Scheduler> behind_;
};

}  // namespace pt::schedule
