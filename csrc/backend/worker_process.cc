#include "backend/worker_process.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/worker_log.h"
#include "backend/worker_orphans.h"
#include "backend/worker_template.h"
#include "base/copy_count.h"

namespace pt::backend {
namespace {

constexpr size_t kResultSpace = size_t{64} << 30;  // address space; memory only where used
// How long an execution waits before it asks its caller for patience.
constexpr Duration kPatience = std::chrono::microseconds(500);
// How often a writer looks again for room in a full ring.
constexpr Duration kRoomWait = std::chrono::milliseconds(1);

}  // namespace

Result<std::shared_ptr<WorkerProcess>> WorkerProcess::Start(const WorkerHub& hub,
                                                            const WorkerSpec& spec,
                                                            std::function<void()> on_death) {
  auto process = std::make_shared<WorkerProcess>(hub, spec);
  process->on_death_ = std::move(on_death);
  PT_ASSIGN_OR_RETURN(process->ring_, WorkerRing::Create());
  PT_ASSIGN_OR_RETURN(process->results_, SharedRegion::Create("pytriton-results", kResultSpace,
                                                              SharedRegion::Access::kRead));
  SpawnOptions spawn = spec.spawn;
  if (hub.templates != nullptr) spawn.origin = hub.templates->Get(spawn);
  Status status;
  hub.monitor->RunAndWait([&] { status = process->Launch(spawn); });
  if (!status.ok()) return status;
  return process;
}

WorkerProcess::WorkerProcess(const WorkerHub& hub, const WorkerSpec& spec)
    : hub_(hub),
      label_(spec.label),
      instance_name_(spec.instance_name),
      loans_(std::make_shared<WorkerLoans>(hub.pool)),
      asks_(std::make_shared<WorkerAsks>(hub.services, hub.monitor, loans_, spec.instance_name)),
      readiness_(std::make_shared<WorkerReadiness>(hub.monitor, asks_)),
      output_(hub.logger, spec.label) {}

WorkerProcess::~WorkerProcess() {
  asks_->Close();
  for (const int bell : {bell_, loop_bell_}) {
    if (bell >= 0) close(bell);
  }
}

Status WorkerProcess::Launch(const SpawnOptions& options) {
  {
    MutexLock lock(&reader_mu_);
    flights_ = std::make_unique<WorkerFlights>(ring_, results_, loans_, hub_.pool, instance_name_);
  }
  ring_->SetLogMask(LogMaskFor(hub_.logger));
  bell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  loop_bell_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const SharedRegion* pool = hub_.pool->region().get();
  if (bell_ < 0 || loop_bell_ < 0 || pool == nullptr) {
    return Unavailable("expected bells and a shared pool for a worker process");
  }
  SpawnOptions spawn = options;
  spawn.descriptors = {ring_->fd(), results_->fd(), pool->fd(), bell_, loop_bell_};
  PT_RETURN_IF_ERROR(child_.Spawn(spawn));
  asks_->Open(child_.socket());
  Watch();
  return {};
}

void WorkerProcess::NoteLoaded() {
  hub_.monitor->Post([self = shared_from_this()] {
    if (!self->is_dead()) self->child_.Look();
  });
}

void WorkerProcess::Watch() {
  // The monitor's callbacks keep this object until the child was buried.
  const auto self = shared_from_this();
  hub_.monitor->Watch(bell_, [self] { self->OnBell(); });
  hub_.monitor->Watch(child_.output(), [self] { self->OnOutput(); });
  if (child_.pidfd() >= 0) hub_.monitor->Watch(child_.pidfd(), [self] { self->OnMaybeEnded(); });
  hub_.monitor->Watch(child_.socket(), [self] { self->OnMaybeEnded(); });
}

void WorkerProcess::OnBell() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(bell_, &count, sizeof count);
  if (!reader_mu_.TryLock()) return;  // whoever reads looks again before it stops
  ring_->BeginReading();
  Pump();
  StopReading();
  reader_mu_.Unlock();
}

void WorkerProcess::OnOutput() {
  if (!output_.ReadFrom(child_.output())) hub_.monitor->Unwatch(child_.output());
}

void WorkerProcess::OnMaybeEnded() {
  if (is_dead()) return;
  std::optional<std::string> how = child_.Reap();
  if (!how) {
    // The socket is at its end, so it is ending or has closed what it must not close.
    char byte;
    if (read(child_.socket(), &byte, 1) != 0) return;
    hub_.monitor->Unwatch(child_.socket());
    if (child_.pidfd() >= 0) return;  // which will tell
    child_.Kill();
    const auto self = shared_from_this();
    hub_.monitor->PostAt(std::chrono::steady_clock::now() + std::chrono::milliseconds(10),
                         [self] { self->OnMaybeEnded(); });
    return;
  }
  Bury(*how);
}

void WorkerProcess::Bury(const std::string& how) {
  const auto self = shared_from_this();
  output_.ReadFrom(child_.output());
  output_.Flush();
  for (const int fd : {bell_, child_.output(), child_.socket(), child_.pidfd()}) {
    hub_.monitor->Unwatch(fd);
  }
  {
    MutexLock lock(&mu_);
    death_ = "Stub process '" + instance_name_ + "' is not healthy.\n" + how;
    if (!output_.last_line().empty()) death_ += ", last output: " + output_.last_line();
    is_dead_.store(true, std::memory_order_release);
    changed_.NotifyAll();
  }
  ring_->Interrupt();
  {
    MutexLock lock(&reader_mu_);
    Pump();
    flights_->FailAll(ring_->begun(), death());
    records_.Clear();
    held_.store(flights_->size(), std::memory_order_release);
    if (is_followed_) Ring(loop_bell_);
  }
  asks_->Close();
  if (hub_.orphans != nullptr) hub_.orphans->Add(child_.pid());
  if (on_death_) std::exchange(on_death_, nullptr)();
}

std::string WorkerProcess::death() const {
  MutexLock lock(&mu_);
  return death_;
}

void WorkerProcess::Kill() {
  const auto self = shared_from_this();
  hub_.monitor->Post([self] { self->child_.Kill(); });
}

bool WorkerProcess::Send(ToWorker type, std::string_view payload) {
  bool is_elsewhere = false;
  MessageWriter pointer;
  if (payload.size() > WorkerRing::kLargestMessage) {
    BlockRef block = hub_.pool->Allocate(std::max(payload.size(), BlockPool::kSharedBytes));
    if (!block) return false;
    std::memcpy(block->data(), payload.data(), payload.size());
    CountCopy(payload.size());
    const auto offset = hub_.pool->region()->Locate(block->data(), payload.size());
    if (!offset) return false;
    const char* data = block->data();
    const uint32_t loan = loans_->Lend(Slice(std::move(block), data, payload.size()));
    pointer.Put(*offset).Put(static_cast<uint64_t>(payload.size())).Put(loan);
    payload = pointer.bytes();
    is_elsewhere = true;
  }
  while (!ring_->Write(type, is_elsewhere, payload)) {
    if (is_dead()) return false;
    ring_->WaitForMessage(kRoomWait);
    Pump();
  }
  return true;
}

Result<std::string> WorkerProcess::Ask(ToWorker command, std::string_view payload,
                                       TimePoint deadline) {
  {
    MutexLock lock(&mu_);
    has_reply_ = false;
  }
  {
    MutexLock lock(&reader_mu_);
    ring_->BeginReading();
    [[maybe_unused]] const bool is_sent = Send(command, payload);  // a dead one is seen below
    StopReading();
  }
  bool is_late = false;
  {
    MutexLock lock(&mu_);
    while (!has_reply_ && !is_dead() && !is_late) {
      is_late = !changed_.WaitUntil(&mu_, deadline) && !has_reply_ && !is_dead();
    }
    if (has_reply_ && reply_ok_) return std::move(reply_);
    if (has_reply_) return Internal(std::move(reply_));
    if (!is_late) return Internal(death_);
  }
  Kill();
  return Internal("Stub process '" + instance_name_ +
                  "' is not healthy.\nit did not answer within its time and was killed");
}

Status WorkerProcess::Execute(Batch* batch, FunctionRef<void()> patience,
                              FunctionRef<bool()> may_leave) {
  MutexLock lock(&reader_mu_);
  if (is_dead()) return Internal(death());
  ring_->BeginReading();
  const bool is_waited = !may_leave();
  Status status = Put(batch, is_waited);
  if (status.ok()) {
    if (is_waited) {
      AwaitBatch(sent_, patience, may_leave);
    } else {
      Pump();
    }
    flights_->Leave(batch);
  }
  StopReading();
  return status;
}

Status WorkerProcess::Put(Batch* batch, bool is_waited) {
  const uint32_t sequence = sent_ + 1;
  ring_->SetLogMask(LogMaskFor(hub_.logger));
  writer_.Clear();
  records_.Begin(sequence, batch, !is_waited, std::chrono::steady_clock::now());
  Status status = flights_->Enter(sequence, batch, is_waited, &writer_);
  if (!status.ok()) {
    records_.Cancel(batch);
    return status;
  }
  sent_ = sequence;
  held_.store(flights_->size(), std::memory_order_release);
  if (!Send(ToWorker::kBatch, writer_.bytes()) && !is_dead()) {
    flights_->FailBatch(sequence, "the system has no memory for the batch");
    done_.store(sequence, std::memory_order_release);
  }
  has_room_.store(ring_->HasRoom() && !flights_->is_full(), std::memory_order_relaxed);
  return {};
}

void WorkerProcess::AwaitDeath() {
  MutexLock lock(&mu_);
  while (!is_dead()) changed_.Wait(&mu_);
}

void WorkerProcess::AwaitBatch(uint32_t sequence, FunctionRef<void()> patience,
                               FunctionRef<bool()> may_leave) {
  const auto is_done = [&] {
    return static_cast<int32_t>(done_.load(std::memory_order_relaxed) - sequence) >= 0;
  };
  bool is_patient = false;
  Pump();
  while (!is_done() && !is_dead() && !may_leave()) {
    if (is_broken_) {
      AwaitDeath();
      break;
    }
    if (!ring_->WaitForMessage(is_patient ? Duration(0) : kPatience)) {
      patience();
      is_patient = true;
    }
    Pump();
  }
  if (!is_dead()) return;
  Pump();
  flights_->FailAll(ring_->begun(), death());
  held_.store(flights_->size(), std::memory_order_release);
}

}  // namespace pt::backend
