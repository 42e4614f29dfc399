// The half of WorkerProcess that an instance uses which drives an event loop, or has done so.
#include "backend/worker_process.h"

namespace pt::backend {

void WorkerProcess::BeginFollowing() {
  MutexLock lock(&reader_mu_);
  is_followed_ = true;
  ring_->set_bell(WorkerRing::Bell::kLoop);
}

void WorkerProcess::EndFollowing() {
  MutexLock lock(&reader_mu_);
  is_followed_ = false;
  ring_->set_bell(WorkerRing::Bell::kMonitor);
  ring_->BeginReading();
  Pump();
  StopReading();
}

void WorkerProcess::Read() {
  MutexLock lock(&reader_mu_);
  ring_->BeginReading();
  Pump();
}

bool WorkerProcess::Rest(Ringing ringing) {
  MutexLock lock(&reader_mu_);
  ring_->set_patience(ringing == Ringing::kSoon);
  bool has_read = false;
  if (!EndReading(&has_read)) Ring(loop_bell_);  // the loop goes on, after its sockets
  return has_read;
}

bool WorkerProcess::KeepVigil(Duration limit) {
  const TimePoint end = std::chrono::steady_clock::now() + limit;
  MutexLock lock(&reader_mu_);
  ring_->BeginReading();
  while (pending() > 0 && !is_dead() && std::chrono::steady_clock::now() < end) {
    if (ring_->HasMessage()) Pump();
  }
  return pending() == 0;
}

Status WorkerProcess::HandOver(Batch* batch) {
  MutexLock lock(&reader_mu_);
  if (is_dead()) return Internal(death());
  ring_->BeginReading();
  Status status = Put(batch, false);
  Pump();
  return status;
}

void WorkerProcess::AwaitIdle() {
  {
    MutexLock lock(&reader_mu_);
    is_awaited_ = true;
    ring_->BeginReading();
    Pump();
    StopReading();  // the worker rings for the monitor, which reads
  }
  MutexLock lock(&mu_);
  while (!is_dead() && (!is_idle() || pending() > 0)) changed_.Wait(&mu_);
}

}  // namespace pt::backend
