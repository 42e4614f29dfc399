#include "schedule/queue_scheduler.h"

#include <pthread.h>

#include <numeric>
#include <utility>

#include "schedule/exclusive_groups.h"

namespace pt::schedule {
namespace {

// Rounds that a driving worker gives a loop without finding work of its own before it goes back to
// sleep: the loop's traffic is then for others, who may take the loop over.
constexpr int kFruitlessRounds = 256;
// How long a worker waits between two batches to be offered a loop, and how many batches it runs
// after that was in vain before it tries again.
constexpr Duration kOfferWait = std::chrono::microseconds(200);
constexpr int kOfferPause = 64;

// The kernel keeps 15 characters.
void NameThread(const std::string& model, int ordinal) {
  const std::string number = ":" + std::to_string(ordinal);
  const std::string name = model.substr(0, 15 - number.size()) + number;
  pthread_setname_np(pthread_self(), name.c_str());
}

bool WantsOrder(const ModelConfig& config) {
  return config.scheduler == SchedulerKind::kDynamic && config.dynamic_batching.preserve_ordering;
}

ExclusiveGroup* GroupOf(const SchedulerDeps& deps) {
  const auto& parameters = deps.model->config().parameters;
  const auto name = parameters.find(kExclusiveGroupParameter);
  if (name == parameters.end() || name->second.empty()) return nullptr;
  return deps.exclusive_groups == nullptr ? nullptr : deps.exclusive_groups->Get(name->second);
}

}  // namespace

QueueScheduler::QueueScheduler(const SchedulerDeps& deps)
    : deps_(deps),
      limits_(BatchLimits::For(deps.model->config())),
      keeps_order_(WantsOrder(deps.model->config()) && deps.model->config().instance_count() > 1),
      exclusive_group_(GroupOf(deps)),
      // Handed over, batches of several instances would be answered in any order.
      hands_over_(deps.backend->RunsElsewhere() && !keeps_order_ && exclusive_group_ == nullptr),
      alarm_link_(std::make_shared<AlarmLink>()),
      queue_(deps.model->config()) {
  MutexLock lock(&alarm_link_->mu);
  alarm_link_->scheduler = this;
}

// One instance keeps the order by itself. What several need for that is decided once.
bool QueueScheduler::CanHave(int count) const {
  return keeps_order_ || count <= 1 || !WantsOrder(deps_.model->config());
}

QueueScheduler::~QueueScheduler() { Stop(); }

Status QueueScheduler::Start() {
  std::vector<int> ordinals(static_cast<size_t>(deps_.model->config().instance_count()));
  std::iota(ordinals.begin(), ordinals.end(), 0);
  PT_RETURN_IF_ERROR(Prepare(ordinals));
  Apply({});
  return {};
}

Status QueueScheduler::StartWorker(Worker* worker) {
  NameThread(deps_.model->name(), worker->ordinal);
  Status status = worker->instance->Start();
  MutexLock lock(&mu_);
  if (!status.ok() && start_status_.ok()) start_status_ = status;
  if (--starting_ == 0) started_.NotifyAll();
  if (!status.ok()) return status;
  while (worker->standing == Standing::kPrepared && !is_stopping_) worker->wake.Wait(&mu_);
  worker->activity = Activity::kBusy;
  return status;
}

void QueueScheduler::Submit(RequestList&& requests, LoopHost* host) {
  DroppedList dropped;
  {
    MutexLock lock(&mu_);
    if (is_stopping_) {
      for (RequestPtr& request : requests) {
        dropped.push_back({std::move(request),
                           Unavailable("model '" + deps_.model->name() + "' is stopping"),
                           FailureReason::kOther});
      }
    } else {
      const TimePoint now = requests.empty() ? TimePoint() : requests.back()->arrival;
      for (RequestPtr& request : requests) queue_.Push(std::move(request), now, &dropped);
      if (queue_.next_expiry() < alarm_at_) ArmAlarm();
      if (queue_.size() > 0) WakeOne(host);
    }
  }
  requests.clear();
  Answer(&dropped);
}

void QueueScheduler::WakeOne(LoopHost* host) {
  Worker* sleeper = nullptr;
  LoopHost* driven = nullptr;
  for (auto& worker : workers_) {
    if (worker->activity == Activity::kDriving) {
      // When it can take more it looks by itself.
      if (!worker->instance->CanTake()) continue;
      // It drives the loop that submits: it looks at the queue when this round is over.
      if (worker->host == host) return;
      driven = worker->host;
    } else if (worker->activity == Activity::kSleeping && !worker->is_told && sleeper == nullptr) {
      sleeper = worker.get();
    }
  }
  if (driven != nullptr) return driven->Wake();
  const bool is_to_give = host != nullptr && limits_.max_delay.count() == 0 && IsShort() &&
                          exclusive_group_ == nullptr && host->IsHome() && host->IsDrivenHere();
  if (sleeper == nullptr) {  // all are busy and will look when they are done
    has_spare_loop_ = is_to_give && hands_over_;
    return;
  }
  if (is_to_give) {
    host->Release();
    sleeper->offered = host;
  }
  sleeper->is_told = true;
  sleeper->wake.NotifyOne();
}

void QueueScheduler::RunWorker(Worker* worker) {
  if (!StartWorker(worker).ok()) return;
  Batch batch;
  const auto before_long_wait = [this, worker] {
    if (worker->host != nullptr) GoHome(worker);
  };
  uint64_t ticket = 0;
  for (bool runs = true; runs;) {
    switch (TakeWork(worker, &batch, &ticket)) {
      case Next::kBatch:
        batch.before_long_wait = before_long_wait;
        RunBatch(worker, &batch, ticket);
        break;
      case Next::kIdle:
        Drive(worker);
        break;
      case Next::kStop:
        runs = false;
        break;
    }
  }
  if (worker->host != nullptr) GoHome(worker);
  EndWorker(worker);
}

QueueScheduler::Next QueueScheduler::TakeWork(Worker* worker, Batch* batch, uint64_t* ticket) {
  DroppedList dropped;
  Next next = Next::kStop;
  {
    MutexLock lock(&mu_);
    worker->activity = Activity::kBusy;
    while (!Ends(*worker)) {
      BatchDecision decision;
      if (has_spare_loop_ && worker->host == nullptr) AwaitOffer(worker);
      if (queue_.size() > 0 && CanTake(*worker)) {
        batch->started = deps_.clock->Now();
        decision =
            queue_.Take(limits_, batch->started, &batch->requests, &dropped, ShareOf(*worker));
      }
      if (!batch->requests.empty()) {
        if (keeps_order_) *ticket = ordered_.NextTicket();
        if (queue_.size() > 0) WakeOne(nullptr);
        next = Next::kBatch;
        break;
      }
      if (!dropped.empty() || worker->host != nullptr) {
        if (worker->host != nullptr) worker->activity = Activity::kDriving;
        next = Next::kIdle;
        break;
      }
      Sleep(worker, decision.wait_until);
    }
  }
  Answer(&dropped);
  return next;
}

void QueueScheduler::AwaitOffer(Worker* worker) {
  if (--offer_pause_ > 0) return;
  has_spare_loop_ = false;
  Sleep(worker, deps_.clock->Now() + kOfferWait);
  offer_pause_ = worker->host == nullptr ? kOfferPause : 0;
}

void QueueScheduler::Sleep(Worker* worker, TimePoint until) {
  worker->activity = Activity::kSleeping;
  while (!worker->is_told && !Ends(*worker)) {
    if (until == kNoDeadline) {
      worker->wake.Wait(&mu_);
    } else if (!worker->wake.WaitUntil(&mu_, until)) {
      break;
    }
  }
  worker->is_told = false;
  worker->activity = Activity::kBusy;
  if (worker->offered != nullptr) worker->host = std::exchange(worker->offered, nullptr);
}

void QueueScheduler::RunBatch(Worker* worker, Batch* batch, uint64_t ticket) {
  if (worker->host != nullptr && !IsShort()) GoHome(worker);
  if (worker->host != nullptr && hands_over_) worker->instance->Follow(worker->host);
  if (exclusive_group_ != nullptr) {
    exclusive_group_->Enter();
    batch->started = deps_.clock->Now();  // the wait counts as queueing
  }
  const Duration taken = ExecuteBatch(worker->instance.get(), *deps_.clock, batch);
  if (exclusive_group_ != nullptr) exclusive_group_->Leave();
  short_model_.Record(taken);
  if (!keeps_order_) {
    SendAnswers(batch);
    return;
  }
  Batch done = std::move(*batch);
  *batch = Batch();
  ordered_.Send(ticket, std::move(done));
}

void QueueScheduler::Drive(Worker* worker) {
  if (worker->host == nullptr) return;
  if (!IsShort()) return GoHome(worker);
  int fruitless = 0;
  const bool is_open = worker->host->Drive([&] {
    return HasWork(*worker) || (worker->instance->Rest() && HasWork(*worker)) ||
           ++fruitless > kFruitlessRounds;
  });
  if (!is_open || fruitless > kFruitlessRounds) GoHome(worker);
}

void QueueScheduler::GoHome(Worker* worker) {
  LoopHost* host = nullptr;
  worker->instance->Unfollow();
  {
    MutexLock lock(&mu_);
    worker->activity = Activity::kBusy;
    host = std::exchange(worker->host, nullptr);
  }
  host->ReturnHome();
}

bool QueueScheduler::HasWork(const Worker& worker) const {
  MutexLock lock(&mu_);
  return (queue_.size() > 0 && CanTake(worker)) || Ends(worker);
}

bool QueueScheduler::CanTake(const Worker& worker) const {
  return worker.host == nullptr || worker.instance->CanTake();
}

size_t QueueScheduler::ShareOf(const Worker& worker) const {
  if (worker.host == nullptr || !limits_.may_be_parted()) return SIZE_MAX;
  return std::max<size_t>(worker.instance->Share(queue_.size()), 1);
}

int64_t QueueScheduler::queued() const {
  MutexLock lock(&mu_);
  return static_cast<int64_t>(queue_.size());
}

// One ticket for the earliest expiry; answers are then not later than a busy instance makes them.
void QueueScheduler::ArmAlarm() {
  alarm_at_ = queue_.next_expiry();
  deps_.alarm->Arm(alarm_at_, [link = alarm_link_] {
    MutexLock lock(&link->mu);
    if (link->scheduler != nullptr) link->scheduler->OnAlarm();
  });
}

void QueueScheduler::OnAlarm() {
  DroppedList dropped;
  {
    MutexLock lock(&mu_);
    if (is_stopping_) return;
    alarm_at_ = kNoDeadline;
    queue_.Sweep(deps_.clock->Now(), &dropped);
    if (queue_.next_expiry() != kNoDeadline) ArmAlarm();
  }
  Answer(&dropped);
}

void QueueScheduler::Answer(DroppedList* dropped) {
  for (Dropped& drop : *dropped) drop.request->Fail(std::move(drop.status), drop.reason);
  dropped->clear();
}

void QueueScheduler::Stop() {
  DroppedList dropped;
  {
    MutexLock lock(&alarm_link_->mu);
    alarm_link_->scheduler = nullptr;
  }
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
    queue_.Clear(Unavailable("model '" + deps_.model->name() + "' is stopping"), &dropped);
    for (const auto* list : {&workers_, &prepared_, &leaving_}) {
      for (const auto& worker : *list) Wake(worker.get());
    }
  }
  Answer(&dropped);
  deps_.backend->Drain();
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mu_);
    while (!leaving_.empty()) left_.Wait(&mu_);
    threads.swap(gone_);
    for (const auto* list : {&workers_, &prepared_}) {
      for (const auto& worker : *list) {
        if (worker->thread.joinable()) threads.push_back(std::move(worker->thread));
      }
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace pt::schedule
