// WorkerAsks: what the model of one worker process asks of its server: calls, inference by other
// models, metrics. Decodes the questions and writes the answers to the worker's socket.
//
// Thread rule: the On... functions by the reader of the worker's ring; answers come on any thread.
// Owner rule: shared with the answers under way; borrows the services.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/worker_codec.h"
#include "backend/worker_loans.h"
#include "backend/worker_monitor.h"
#include "base/function_ref.h"
#include "base/mutex.h"
#include "infer/worker_services.h"

namespace pt::backend {

class WorkerAsks : public std::enable_shared_from_this<WorkerAsks> {
 public:
  // The bytes of a tensor in a message; false: it lies.
  using Resolve = FunctionRef<Slice(const TensorRecord& tensor, bool* is_sound)>;

  // `services` null: every question is refused.
  WorkerAsks(WorkerServices* services, WorkerMonitor* monitor, std::shared_ptr<WorkerLoans> loans,
             std::string instance_name);

  // From now on answers can be written. `socket` stays the caller's until Close.
  void Open(int socket) EXCLUDES(mu_);
  // Cancels what is under way. Answers are dropped from now on.
  void Close() EXCLUDES(mu_);

  // False: malformed, the worker must go.
  bool OnCall(std::string_view message);
  bool OnSubmit(std::string_view message, Resolve resolve);
  bool OnCancel(std::string_view message) EXCLUDES(mu_);
  bool OnMetrics(std::string_view message);
  // Has the worker ask its model whether it is ready; the answer comes through the ring.
  void AskIsReady() EXCLUDES(mu_) { Send(Frame::kIsReady, 0, {}); }

 private:
  enum class Frame : uint32_t { kCallReply = 1, kInnerResponse = 2, kIsReady = 3 };

  void Reply(uint64_t number, const Result<std::string>& json) EXCLUDES(mu_);
  void SendResponse(uint64_t number, InnerResponse&& response, Finality finality) EXCLUDES(mu_);
  void Send(Frame frame, uint64_t number, const std::string& payload) EXCLUDES(mu_);
  void Flush() EXCLUDES(mu_);

  WorkerServices* const services_;
  WorkerMonitor* const monitor_;
  const std::shared_ptr<WorkerLoans> loans_;
  const std::string instance_name_;
  Mutex mu_;
  uint64_t worker_ GUARDED_BY(mu_) = 0;
  int socket_ GUARDED_BY(mu_) = -1;
  std::string unsent_ GUARDED_BY(mu_);
  size_t sent_ GUARDED_BY(mu_) = 0;  // of unsent_, from its beginning
  bool is_flush_due_ GUARDED_BY(mu_) = false;
  std::unordered_map<uint64_t, RefPtr<Responder>> inner_ GUARDED_BY(mu_);
};

}  // namespace pt::backend
