// WorkerInstance: one instance of a model, run by a worker process.
//
// While its thread drives an event loop it hands batches over and returns: the loop goes on while
// the worker executes, and the worker has the next batch when it has done one. Else it waits for
// each batch, or, for a short model without a batcher, for the last of several.
//
// Thread rule: as for BackendInstance. Owner rule: shares its keeper with the backend.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/worker_keeper.h"
#include "backend/worker_vigil.h"
#include "infer/backend.h"
#include "infer/loop_host.h"

namespace pt {
class Scheduler;
}

namespace pt::backend {

class WorkerInstance final : public BackendInstance, private LoopSignal {
 public:
  struct Plan {
    std::string name;       // instance name
    std::string setup;      // payload of ToWorker::kSetup
    std::string arguments;  // payload of ToWorker::kInitialize
    Duration ahead{0};      // work that may be handed over before its time; zero: none
    // With a batcher: up to what a request may cost for a batch to be handed over ahead; no: none.
    std::optional<Duration> cheap_request;
    std::function<bool()>
        is_single;  // whether no neighbour should rather have that batch; set with it
    std::function<bool()> has_other;  // whether another instance of the model can run batches
  };

  WorkerInstance(std::shared_ptr<WorkerKeeper> keeper, Plan plan);

  Status Start() override;
  void Execute(Batch* batch, ExecutionTimes* times) override;
  void Settle() override;
  void Stop() override;
  void Follow(LoopHost* loop) override { loop_ = loop; }
  void Unfollow() override;
  bool CanTake() const override { return can_take_.load(std::memory_order_acquire); }
  size_t Share(size_t waiting) const override;
  bool Rest() override;

 private:
  void OnSignal() override;
  // Hands the batch over if a loop is followed. False: to be waited for, or tried again.
  bool HandOver(Batch* batch, const std::shared_ptr<WorkerProcess>& process);
  // Has the followed loop listen to this process, and to no other. False: it can't.
  bool ListenTo(const std::shared_ptr<WorkerProcess>& process);
  void StopListening();
  void UpdateCanTake();
  // How many batches `process` may hold.
  uint32_t Depth(const WorkerProcess& process) const;

  // Whether the next batch can be handed over before this one has ended: for short models without a
  // batcher, one wake-up then serves many requests.
  bool MayRunAhead(const Scheduler& scheduler, const WorkerProcess& process) const;

  // There is no process: fails the batch, or leaves it to the other instances.
  void RunNothing(Batch* batch, const Status& reason);

  const std::shared_ptr<WorkerKeeper> keeper_;
  Plan plan_;
  Vigil vigil_;
  LoopHost* loop_ = nullptr;              // the one that this thread drives
  std::shared_ptr<WorkerProcess> heard_;  // the process that loop_ listens to
  std::atomic<bool> can_take_{true};      // written by the instance's thread
};

}  // namespace pt::backend
