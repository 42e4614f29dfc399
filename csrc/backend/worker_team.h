// WorkerTeam: the workers of one model version: who is there, who can run batches. They come and go
// while the model serves.
//
// Thread rule: thread-safe. Owner rule: shared by the backend and its instances.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "backend/worker_keeper.h"
#include "base/mutex.h"
#include "base/status.h"

namespace pt::backend {

class WorkerTeam {
 public:
  // `ordinal` is the instance's number.
  void Join(int ordinal, std::shared_ptr<WorkerKeeper> keeper) EXCLUDES(mu_);
  // It takes nothing new any more.
  void Leave(int ordinal) EXCLUDES(mu_);
  // Drops its keeper, which waits for the process where it has not ended.
  void Forget(int ordinal) EXCLUDES(mu_);
  // Null: nobody has that number.
  std::shared_ptr<WorkerKeeper> Find(int ordinal) const EXCLUDES(mu_);

  // Kills all of them, those that are leaving as well.
  void Abort() EXCLUDES(mu_);
  // Why none can run batches; OK otherwise.
  Status Health() const EXCLUDES(mu_);
  // Whether another one than this can run batches.
  bool HasOther(int ordinal) const EXCLUDES(mu_);
  // Whether there is only one that takes something new.
  bool is_single() const { return active_.load(std::memory_order_relaxed) == 1; }

 private:
  struct Member {
    std::shared_ptr<WorkerKeeper> keeper;
    bool is_leaving = false;
  };

  mutable Mutex mu_;
  std::map<int, Member> members_ GUARDED_BY(mu_);
  std::atomic<int> active_{0};
};

}  // namespace pt::backend
