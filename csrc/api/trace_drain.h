// TraceDrain: takes finished traces off the threads that serve, and gives them to a sink on a
// thread of its own. When the sink can't keep up, traces are dropped and counted: requests never
// wait.
//
// Thread rule: Collect and Flush from any thread; the sink is called on the drain's thread only.
// Owner rule: owned by the Tracer; the destructor gives the sink what waits and joins.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "infer/trace.h"

namespace pt::api {

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  // May block on what it writes to, within bounds.
  virtual void Write(std::vector<std::unique_ptr<Trace>> traces) = 0;
};

struct DrainOptions {
  size_t max_waiting = 65536;                      // traces
  size_t max_tensor_bytes = size_t{256} << 20;     // held by those that wait
  Duration delay = std::chrono::milliseconds(50);  // gathers what comes meanwhile
  size_t hurry_at = 512;                           // that many don't wait for the delay
};

class TraceDrain final : public TraceCollector {
 public:
  TraceDrain(std::unique_ptr<TraceSink> sink, DrainOptions options, Logger* logger);
  ~TraceDrain() override;

  void Collect(std::unique_ptr<Trace> trace) override EXCLUDES(mu_);
  // Waits until all that was collected before is written; false when `deadline` came first.
  bool Flush(TimePoint deadline) EXCLUDES(mu_);

 private:
  using Traces = std::vector<std::unique_ptr<Trace>>;

  void Run() EXCLUDES(mu_);
  // Waits for traces; empty: the end.
  Traces Next() EXCLUDES(mu_);
  void WarnOfDropped(size_t dropped);

  const std::unique_ptr<TraceSink> sink_;
  const DrainOptions options_;
  Logger* const logger_;
  Mutex mu_;
  CondVar wake_;
  CondVar idle_;
  Traces waiting_ GUARDED_BY(mu_);
  size_t tensor_bytes_ GUARDED_BY(mu_) = 0;
  size_t dropped_ GUARDED_BY(mu_) = 0;
  bool is_writing_ GUARDED_BY(mu_) = false;
  int flushing_ GUARDED_BY(mu_) = 0;
  bool is_closing_ GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace pt::api
