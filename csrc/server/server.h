// Server: builds every room, holds every row, starts and stops them (the composition root).
//
// Threads it owns: `loop_threads` event loops (each with a home thread), the alarm thread (queue
// and client deadlines), the logger's writer; each model brings one thread per instance. Thread
// rule: Start, Stop, AddModel, RemoveModel from any thread that is neither loop nor instance. Owner
// rule: one object is one server; no global state, so several live side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/options.h"
#include "base/status.h"
#include "infer/backend.h"
#include "infer/model_config.h"
#include "repo/attach_control.h"
#include "repo/program_models.h"
#include "tensor/cuda_on_demand.h"

namespace pt::server {

class Server {
 public:
  // Checks the options together (port collisions, limits). Opens no port and starts no thread yet.
  static Result<std::unique_ptr<Server>> Create(const OptionValues& options);
  ~Server();  // Stop()
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds the ports, starts the threads, serves, and begins to load what the model repositories'
  // start asks for. Errors: Unavailable naming the busy port. May be called again after Stop;
  // models that were added stay, and so do those of repositories.
  Status Start();
  // Waits until the loads of the start have ended; false when `deadline` came first. Errors, with
  // exit-on-error: Internal when a model or a repository failed; the server serves the others until
  // it is stopped.
  Result<bool> AwaitModels(TimePoint deadline);
  // Ready turns false at once while ports answer; listeners close; gRPC gets GOAWAY; work under way
  // finishes up to exit-timeout-secs and is cancelled then. Unavailable when the timeout passed.
  Status Stop();

  // Blocks until the model is ready. Before Start it waits for it, ready at once when serving
  // begins. `maker` is asked again when a client loads the model that it had unloaded.
  Status AddModel(ModelConfig config, repo::BackendMaker maker);
  // The same for a model that the backend `backend` of the package runs in worker processes, with
  // what lies in `directory`. Errors also: Unavailable without shared memory.
  Status AddWorkerModel(ModelConfig config, const std::string& backend,
                        const std::string& directory);
  Status RemoveModel(const std::string& name, int64_t version);

  // Lets other processes attach models (repo/attach_control.h). Before the first Start, once; Stop
  // ends it for good. Then the rest may be called, which does as AttachControl's functions.
  void AllowAttaching();
  std::optional<repo::AttachControl::Ask> NextAttachAsk();
  void AnswerAttachAsk(uint64_t id, const Status& status);
  void ForgetAttached(const std::string& name);

  // Holds an exclusive group as an execution would (for warm-ups): blocks until it is free.
  void EnterExclusiveGroup(const std::string& name);
  void LeaveExclusiveGroup(const std::string& name);

  // The machine's devices, for backends that use them; shared, because their memory may outlive us.
  std::shared_ptr<CudaOnDemand> cuda() const;
  // How many GPUs models may use. Errors: why there are none; as CudaDevices::Open.
  Result<int> gpu_count() const;

  int http_port() const;  // the port taken; 0 when off
  int grpc_port() const;
  int metrics_port() const;
  bool is_ready() const;
  bool is_running() const;

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pt::server
