// The backends whose models run in worker processes: `python` (the model brings its model.py) and
// those written in Python (onnxruntime: the backend brings it).
//
// Thread rule: as said in infer/backend.h and infer/backend_loader.h. Owner rule: WorkerBackends
// owns what all workers share and outlives every backend made from it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/worker_environment.h"
#include "backend/worker_orphans.h"
#include "backend/worker_pace.h"
#include "backend/worker_process.h"
#include "backend/worker_template.h"
#include "base/clock.h"
#include "infer/backend_loader.h"

namespace pt::backend {

struct WorkerBackendOptions {
  std::string interpreter;         // for models that name none
  std::string program;             // path of _worker.py
  std::vector<std::string> roots;  // where <backend>/model.py is looked for, in this order
  Duration load_limit = std::chrono::minutes(15);
  Duration finalize_limit = std::chrono::seconds(30);
  size_t templates = 4;  // worker_template.h
  // Between two loads of a version that serves, or from a version's end to the next load of its
  // model (worker_pace.h).
  Duration pause = std::chrono::milliseconds(300);
  // Work that may lie before a worker of a model without a batcher: what a crash hands back, and
  // what an idle neighbour misses.
  Duration ahead = std::chrono::microseconds(500);
  // With a batcher, a batch is handed over before the last one has ended only while a request costs
  // the worker no more than this: then what server and clients do for a request is a fair part of
  // the whole, and neither should wait for the other (64 clients: 12 % more at 20 us, 6 % at 50). A
  // model that takes longer is better served by the larger batches that come of waiting, as is one
  // whose batches cost much whatever their size (batch_cost.h).
  Duration cheap_request = std::chrono::microseconds(60);
  // --backend-config: backend ("": all) -> setting -> value. Backends written in Python find what
  // concerns them in their environment, as PYTRITON_BACKEND_CONFIG: a line SETTING=VALUE each.
  std::map<std::string, std::map<std::string, std::string>> settings;
};

class WorkerBackends {
 public:
  // `pool` has a shared region. All is borrowed. Errors: Unavailable.
  static Result<std::unique_ptr<WorkerBackends>> Create(WorkerBackendOptions options,
                                                        BlockPool* pool, Logger* logger,
                                                        WorkerServices* services);
  ~WorkerBackends();

  // Errors: NotFound when no file <root>/<backend>/model.py exists and the backend isn't `python`.
  Result<std::unique_ptr<BackendLoader>> Open(const VersionSource& source);

 private:
  WorkerBackends(WorkerBackendOptions options, std::unique_ptr<WorkerMonitor> monitor);

  const WorkerBackendOptions options_;
  WorkerEnvironments environments_;
  WorkerOrphans orphans_;  // before the monitor, which uses it
  const std::unique_ptr<WorkerMonitor> monitor_;
  WorkerTemplates templates_;
  const std::shared_ptr<WorkerPace> pace_;
  WorkerHub hub_;
};

}  // namespace pt::backend
