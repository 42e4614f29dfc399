#include "server/loop_context.h"

#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/connection.h"

namespace pt::server {
namespace {

// Time-outs are checked for all connections of a loop at once: a timer for each would cost more
// than every client that idles.
constexpr Duration kSweepInterval = std::chrono::seconds(1);
// With more calls under way, the time asleep is when they become batches, of requests and of
// answers, and the CPU is better left to those who work on them.
constexpr int64_t kFewCalls = 8;

}  // namespace

class LoopContext::SignalHandler final : public net::EventHandler {
 public:
  explicit SignalHandler(LoopSignal* signal) : signal_(signal) {}
  void OnEvents(uint32_t) override { signal_->OnSignal(); }
  const LoopSignal* signal() const { return signal_; }

 private:
  LoopSignal* const signal_;
};

Result<RefPtr<LoopContext>> LoopContext::Create(const Services* services, std::string thread_name) {
  PT_ASSIGN_OR_RETURN(std::unique_ptr<net::Loop> loop, net::Loop::Create());
  return RefPtr<LoopContext>(new LoopContext(services, std::move(loop), std::move(thread_name)));
}

LoopContext::LoopContext(const Services* services, std::unique_ptr<net::Loop> loop,
                         std::string thread_name)
    : services_(services),
      thread_name_(std::move(thread_name)),
      loop_(std::move(loop)),
      arena_(services->pool),
      round_(this) {
  calls_.round = &round_;
  calls_.pool = services->pool;
  calls_.now = loop_->now();
  loop_->set_round_end([this] { round_.Flush(); });
}

LoopContext::~LoopContext() { PT_DCHECK(!home_.joinable()); }

void LoopContext::Start() {
  home_ = std::thread([this] { RunHome(); });
}

void LoopContext::Shutdown() {
  if (!home_.joinable()) return;
  is_closing_.store(true, std::memory_order_release);
  loop_->Wake();
  home_.join();
}

net::Wait LoopContext::HowToWait() const {
  // How many requests a stream has under way is not known here.
  const bool is_lonely = streams_ == 0 && calls_before_stop_.entries() <= kFewCalls;
  return is_lonely ? net::Wait::kAwake : net::Wait::kYes;
}

void LoopContext::RunHome() {
  pthread_setname_np(pthread_self(), thread_name_.substr(0, 15).c_str());
  driver_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  loop_->UpdateNow();
  while (!is_closing_.load(std::memory_order_acquire)) {
    loop_->RunRound(HowToWait());
    if (!is_released_) continue;
    is_released_ = false;
    PassRole();
    AwaitRole();
  }
  CloseAll();
  loop_->Close();
  driver_.store({}, std::memory_order_relaxed);
}

void LoopContext::CloseAll() {
  while (!connections_.empty()) connections_.back()->Close();
  // What the closed connections' calls have posted, and the connections themselves.
  round_.Flush();
  loop_->RunRound(net::Wait::kNo);
  arena_.Reset();
}

// The role is passed when the round has ended, not inside Release: the round-end hook may still
// hand other models' requests over, and the next driver would add to the same round.
void LoopContext::Release() {
  PT_DCHECK(IsDrivenHere());
  is_released_ = true;
  is_home_.store(false, std::memory_order_relaxed);
}

void LoopContext::PassRole() {
  driver_.store({}, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  is_role_free_ = true;
  role_changed_.NotifyAll();
}

void LoopContext::AwaitRole() {
  {
    MutexLock lock(&mu_);
    while (!is_returned_) role_changed_.Wait(&mu_);
    is_returned_ = false;
  }
  driver_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  is_home_.store(true, std::memory_order_relaxed);
}

void LoopContext::TakeRole() {
  if (IsDrivenHere()) return;
  {
    MutexLock lock(&mu_);
    while (!is_role_free_) role_changed_.Wait(&mu_);
    is_role_free_ = false;
  }
  driver_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

bool LoopContext::Drive(FunctionRef<bool()> stop) {
  TakeRole();
  while (!is_closing_.load(std::memory_order_acquire)) {
    if (stop()) return true;
    loop_->RunRound(HowToWait());
  }
  return false;
}

void LoopContext::ReturnHome() {
  TakeRole();
  driver_.store({}, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  is_returned_ = true;
  role_changed_.NotifyAll();
}

Status LoopContext::Watch(int fd, LoopSignal* signal) {
  TakeRole();
  auto handler = std::make_unique<SignalHandler>(signal);
  // Edge-triggered: each write to the descriptor is an event, and nobody has to read it.
  PT_RETURN_IF_ERROR(loop_->Watch(fd, EPOLLIN | EPOLLET, handler.get()));
  signals_.push_back(std::move(handler));
  return {};
}

void LoopContext::Unwatch(int fd, LoopSignal* signal) {
  const auto is_it = [signal](const auto& handler) { return handler->signal() == signal; };
  const auto found = std::find_if(signals_.begin(), signals_.end(), is_it);
  if (found == signals_.end()) return;
  loop_->Unwatch(fd, found->get());
  signals_.erase(found);
}

void LoopContext::LimitWait(Duration longest) {
  if (wait_timer_ != 0) return;
  wait_timer_ = loop_->StartTimer(longest, [this] { wait_timer_ = 0; });
}

void LoopContext::Add(RefPtr<Connection> connection) {
  Connection* const added = connection.get();
  added->slot_ = connections_.size();
  connections_.push_back(std::move(connection));
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  ArmSweep();
  if (is_draining_) added->BeginDrain();
}

void LoopContext::Remove(Connection* connection) {
  const size_t slot = connection->slot_;
  PT_DCHECK(slot < connections_.size() && connections_[slot].get() == connection);
  connections_[slot].Swap(connections_.back());
  connections_[slot]->slot_ = slot;
  // It may be the caller: it lives until the round's events are dispatched.
  loop_->DestroyLater([dead = std::move(connections_.back())]() mutable { dead.Reset(); });
  connections_.pop_back();
  connection_count_.fetch_sub(1, std::memory_order_relaxed);
  if (connection->is_lingering()) --lingering_;
  CheckDrained();
}

void LoopContext::DrainConnections(std::function<void()> drained) {
  is_draining_ = true;
  drained_ = std::move(drained);
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->BeginDrain();
  CheckDrained();
}

void LoopContext::FailCalls(const std::string& reason) {
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->FailCalls(reason);
}

void LoopContext::CountLingering() {
  ++lingering_;
  CheckDrained();
}

void LoopContext::CheckDrained() {
  if (!is_draining_ || !drained_ || connections_.size() > lingering_) return;
  std::exchange(drained_, nullptr)();
}

Gate* LoopContext::EnterCall() {
  if (calls_before_stop_.TryEnter()) return &calls_before_stop_;
  calls_during_stop_.TryEnter();  // never closed
  return &calls_during_stop_;
}

void LoopContext::ArmSweep() {
  if (sweep_timer_ != 0 || connections_.empty()) return;
  sweep_timer_ = loop_->StartTimer(kSweepInterval, [this] {
    sweep_timer_ = 0;
    Sweep();
    ArmSweep();
  });
}

void LoopContext::Sweep() {
  // Backwards: a connection that closes itself is replaced by the last one, which had its turn.
  for (size_t i = connections_.size(); i-- > 0;) connections_[i]->Tick(loop_->now());
}

}  // namespace pt::server
