// WorkerInstance: one instance of a model, run by a worker process.
//
// Thread rule: as for BackendInstance. Owner rule: shares its keeper with the backend.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/worker_keeper.h"
#include "infer/backend.h"

namespace pt {
class Scheduler;
}

namespace pt::backend {

class WorkerInstance final : public BackendInstance {
 public:
  struct Plan {
    std::string name;                 // instance name
    std::string setup;                // payload of ToWorker::kSetup
    std::string arguments;            // payload of ToWorker::kInitialize
    Duration ahead{0};                // work that may be handed over before its time; zero: none
    std::function<bool()> has_other;  // whether another instance of the model can run batches
  };

  WorkerInstance(std::shared_ptr<WorkerKeeper> keeper, Plan plan);

  Status Start() override;
  void Execute(Batch* batch, ExecutionTimes* times) override;
  void Stop() override;

 private:
  // Whether the next batch can be handed over before this one has ended: for short models without a
  // batcher, one wake-up then serves many requests.
  bool MayRunAhead(const Scheduler& scheduler, const WorkerProcess& process) const;

  // There is no process: fails the batch, or leaves it to the other instances.
  void RunNothing(Batch* batch, const Status& reason);

  const std::shared_ptr<WorkerKeeper> keeper_;
  Plan plan_;
};

}  // namespace pt::backend
