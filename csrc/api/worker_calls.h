// WorkerCalls: answers what models in worker processes ask of the server. Kinds of calls, their
// JSON (pytriton/backends/python writes it) and their answers:
//
//   load_model      {"name","config"} + files "file:PATH"  -> {}      when it is ready
//   unload_model    {"name","unload_dependents"}           -> {}      at once
//   is_model_ready  {"name","version"}                     -> {"ready"}
//   metric_family   {"name","description","kind"}          -> {"family"}    kind: 0, 1, 2
//   metric          {"family","labels","buckets"}          -> {"metric"}
//   metric_value    {"metric"}                             -> {"value"}
//   metric_drop     {"metric"} or {"family"}               -> {}
//
// Thread rule: thread-safe; nothing blocks. Owner rule: borrows repository and tracer; owned by
// server/.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/tracer.h"
#include "base/custom_metrics.h"
#include "infer/worker_services.h"
#include "repo/repository.h"

namespace pt::api {

// How models are loaded and unloaded; neither blocks. Empty: the server has no repository.
struct ModelHooks {
  using Done = std::function<void(const Status& status)>;
  std::function<void(const std::string& name, std::optional<std::string> config,
                     std::map<std::string, std::string> files, Done done)>
      load;
  std::function<void(const std::string& name, Done done)> unload;
};

class WorkerCalls final : public WorkerServices {
 public:
  // `tracer` null: nothing is traced.
  explicit WorkerCalls(const repo::Repository* repository, Tracer* tracer = nullptr)
      : repository_(repository), tracer_(tracer) {}

  // REQUIRES: before the first worker begins.
  void set_model_hooks(ModelHooks hooks) { hooks_ = std::move(hooks); }
  const CustomMetrics& metrics() const { return metrics_; }

  uint64_t OpenWorker(const std::string& instance_name) override;
  void CloseWorker(uint64_t worker) override;
  void Call(uint64_t worker, const std::string& kind, std::string_view json, CallFiles files,
            CallReply reply) override;
  void UpdateMetrics(uint64_t worker, std::span<const MetricUpdate> updates) override;
  RefPtr<Responder> Infer(InnerRequest&& request, InnerSink sink) override;

 private:
  const repo::Repository* const repository_;
  Tracer* const tracer_;
  ModelHooks hooks_;
  std::atomic<uint64_t> next_worker_{1};
  CustomMetrics metrics_;
};

}  // namespace pt::api
