// LoopContext: one event loop with its home thread, its connections and what calls on it share. It
// is the LoopHost that schedulers see.
//
// Role passing: the home thread drives until a scheduler calls Release in the round-end hook; the
// role changes hands when that round has ended, so nothing of the round is shared. ReturnHome gives
// it back.
//
// Thread rule: `loop`, `arena`, `turns`, `calls`, Add and Remove from the driver only; the rest
// from any thread. Owner rule: counted: the server and every connection hold it (a call that
// outlives the server's stop still finds a closed loop to post to). Start and Shutdown are the
// server's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/call_context.h"
#include "api/grpc_call.h"
#include "api/http_call.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/ref_counted.h"
#include "infer/loop_host.h"
#include "infer/submit_round.h"
#include "net/loop.h"
#include "net/read_buffer.h"
#include "net/tls_turns.h"
#include "server/limits.h"

namespace pt::server {

class Connection;

// What every connection of a server uses. Borrowed; outlives the loops.
struct Services {
  api::HttpService* http = nullptr;
  api::GrpcService* grpc = nullptr;
  BlockPool* pool = nullptr;
  MemoryBudget* budget = nullptr;
  Logger* logger = nullptr;
  ConnectionLimits limits;
  bool compresses_grpc_answers = false;  // grpc-infer-response-compression-level is not none
};

class LoopContext final : public RefCounted, public LoopHost {
 public:
  // Errors: Unavailable when the process is out of file descriptors.
  static Result<RefPtr<LoopContext>> Create(const Services* services, std::string thread_name);

  // Starts the home thread.
  void Start();
  // Closes every connection, ends the home thread and waits for it. Idempotent.
  // REQUIRES: not on a loop or an instance thread.
  void Shutdown();

  const Services& services() const { return *services_; }
  net::Loop& loop() { return *loop_; }
  net::ReadArena& arena() { return arena_; }
  net::TlsTurns& turns() { return turns_; }
  // For calls into the api; `now` is this round's.
  const api::CallContext& calls() {
    calls_.now = loop_->now();
    return calls_;
  }

  // Connections of this loop. Add keeps a reference until Remove.
  void Add(RefPtr<Connection> connection);
  void Remove(Connection* connection);
  int64_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }
  // A connection dealt to this loop that is still in its mailbox counts, too.
  void ExpectConnection() { connection_count_.fetch_add(1, std::memory_order_relaxed); }
  void DropExpected() { connection_count_.fetch_sub(1, std::memory_order_relaxed); }
  // Tells every connection, now and later, to end when its calls have ended. `drained` runs on the
  // loop when no connection has anything to say any more.
  void DrainConnections(std::function<void()> drained);
  // Answers every call under way with an error that says `reason`, and cancels it.
  void FailCalls(const std::string& reason);
  // A connection has sent its last byte and only waits for the client to close.
  void CountLingering();

  // Every unary call holds a gate from its last byte to its answer (an open stream holds none: it
  // may idle for hours). Returns the gate to Leave, on any thread, when the call has ended.
  Gate* EnterCall();
  // A call that is a stream of messages is open. Driver only.
  void BeginStream() { ++streams_; }
  void EndStream() { --streams_; }
  // kAwake while few calls are under way, and none that is a stream. Driver only.
  net::Wait HowToWait() const;
  // Any thread, once: `ended` runs when every call that was entered before has left; later calls
  // are not waited for.
  void AwaitCallsUnderWay(std::function<void()> ended) {
    calls_before_stop_.Close(std::move(ended));
  }

  // LoopHost.
  bool IsDrivenHere() const override {
    return driver_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  bool IsHome() const override { return is_home_.load(std::memory_order_relaxed); }
  void Release() override;
  bool Drive(FunctionRef<bool()> stop) override;
  void ReturnHome() override;
  void Wake() override { loop_->Wake(); }
  Status Watch(int fd, LoopSignal* signal) override;
  void Unwatch(int fd, LoopSignal* signal) override;
  void LimitWait(Duration longest) override;

 private:
  class SignalHandler;
  LoopContext(const Services* services, std::unique_ptr<net::Loop> loop, std::string thread_name);
  ~LoopContext() override;
  void RunHome();
  void TakeRole() EXCLUDES(mu_);
  void PassRole() EXCLUDES(mu_);
  void AwaitRole() EXCLUDES(mu_);
  void ArmSweep();
  void Sweep();
  void CloseAll();
  void CheckDrained();

  const Services* const services_;
  const std::string thread_name_;
  std::unique_ptr<net::Loop> loop_;
  net::ReadArena arena_;
  net::TlsTurns turns_;
  SubmitRound round_;
  api::CallContext calls_;
  Gate calls_before_stop_;
  Gate calls_during_stop_;
  std::vector<RefPtr<Connection>> connections_;
  std::atomic<int64_t> connection_count_{0};
  uint64_t sweep_timer_ = 0;
  uint64_t wait_timer_ = 0;
  std::vector<std::unique_ptr<SignalHandler>> signals_;
  bool is_draining_ = false;  // driver only, as the next three
  std::function<void()> drained_;
  size_t lingering_ = 0;
  size_t streams_ = 0;

  bool is_released_ = false;  // driver only: the role is passed on when this round has ended

  std::atomic<std::thread::id> driver_{};
  std::atomic<bool> is_home_{true};  // false from Release until the home thread drives again
  std::atomic<bool> is_closing_{false};
  Mutex mu_;
  CondVar role_changed_;
  bool is_role_free_ GUARDED_BY(mu_) = false;
  bool is_returned_ GUARDED_BY(mu_) = false;
  std::thread home_;
};

}  // namespace pt::server
