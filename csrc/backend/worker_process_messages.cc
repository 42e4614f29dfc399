// What a worker says: WorkerProcess's reading half. Nothing of it is trusted.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "backend/worker_log.h"
#include "backend/worker_process.h"

namespace pt::backend {
namespace {

// Messages in the ring that are handled before others get their turn, and how often in a row.
constexpr size_t kPumpBytes = size_t{1} << 20;
constexpr int kMostPumps = 4;
// What a worker may put into one message: more than any honest one has to say.
constexpr uint64_t kLargestElsewhere = uint64_t{2} << 30;
constexpr uint64_t kLongestRunNs = uint64_t{1} << 50;  // 13 days: sums of it stay far from the end

}  // namespace

void WorkerProcess::Ring(int bell) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(bell, &one, sizeof one);
}

void WorkerProcess::Pump() {
  uint32_t type = 0;
  std::string payload = std::move(message_);
  size_t handled = 0;
  while (!is_broken_ && handled < kPumpBytes) {
    const WorkerRing::ReadResult result = ring_->Read(&type, &payload);
    if (result == WorkerRing::ReadResult::kEmpty) break;
    if (result == WorkerRing::ReadResult::kBroken || !Handle(type, payload)) {
      GiveUp("sent a malformed message");
    }
    handled += 64 + payload.size();
  }
  if (ring_->IsReaderLost()) GiveUp("has lost its place in its messages");
  message_ = std::move(payload);
  held_.store(flights_->size(), std::memory_order_release);
  has_room_.store(ring_->HasRoom() && !flights_->is_full(), std::memory_order_relaxed);
  if (is_awaited_) {
    MutexLock lock(&mu_);
    changed_.NotifyAll();
  }
}

void WorkerProcess::GiveUp(const char* fault) {
  if (is_broken_) return;
  is_broken_ = true;
  if (is_dead()) return;
  PT_LOG(hub_.logger, kError, "worker of '" + instance_name_ + "' " + fault);
  Kill();
}

bool WorkerProcess::EndReading(bool* has_read) {
  for (int pumps = 0; pumps < kMostPumps; ++pumps) {
    if (is_broken_ || is_dead() || ring_->EndReading()) return true;
    *has_read = true;
    ring_->BeginReading();
    Pump();
  }
  return false;
}

void WorkerProcess::StopReading() {
  bool has_read = false;
  if (!EndReading(&has_read)) Ring(bell_);  // the monitor goes on, after others' turn
  // What the loop waits for may have come to another reader.
  if (is_followed_) Ring(loop_bell_);
}

BlockRef WorkerProcess::CopyElsewhere(std::string_view payload) {
  MessageReader in(payload);
  const auto offset = in.Get<uint64_t>();
  const auto size = in.Get<uint64_t>();
  const auto slot = in.Get<uint32_t>();
  if (!in.ok() || size > kLargestElsewhere || !results_->Contains(offset, size)) return nullptr;
  BlockRef copy = NewBlock(size);
  if (copy && size > 0) std::memcpy(copy->data(), results_->base() + offset, size);
  ring_->FreeSlot(slot);
  return copy;
}

bool WorkerProcess::Handle(uint32_t type, std::string_view payload) {
  BlockRef copy;
  if ((type & kElsewhere) != 0) {
    copy = CopyElsewhere(payload);
    if (!copy) return false;
    payload = {copy->data(), copy->capacity()};
    type &= ~kElsewhere;
  }
  MessageReader in(payload);
  switch (static_cast<FromWorker>(type)) {
    case FromWorker::kReply:
      OnReply(payload);
      return true;
    case FromWorker::kResponses:
      return flights_->OnResponses(payload);
    case FromWorker::kBatchDone:
      return OnBatchDone(payload);
    case FromWorker::kLog:
      LogFromWorker(hub_.logger, payload);
      return true;
    case FromWorker::kReturnInputs:
      return flights_->OnReturnInputs(payload);
    case FromWorker::kRelease:
      flights_->OnRelease(in.Get<uint64_t>());
      return in.ok();
    case FromWorker::kReschedule:
      flights_->OnReschedule(in.Get<uint64_t>());
      return in.ok();
    case FromWorker::kMetrics:
      return asks_->OnMetrics(payload);
    case FromWorker::kCall:
      return asks_->OnCall(payload);
    case FromWorker::kSubmit: {
      WorkerFlights* const flights = flights_.get();
      return asks_->OnSubmit(payload, [flights](const TensorRecord& tensor, bool* is_sound) {
        return flights->ToSlice(tensor, is_sound);
      });
    }
    case FromWorker::kCancelSubmit:
      return asks_->OnCancel(payload);
    case FromWorker::kReady:
      readiness_->OnAnswer(payload);
      return true;
  }
  return false;
}

bool WorkerProcess::OnBatchDone(std::string_view payload) {
  MessageReader in(payload);
  const auto sequence = in.Get<uint32_t>();
  const auto run_ns = static_cast<int64_t>(std::min(in.Get<uint64_t>(), kLongestRunNs));
  const bool has_failed = in.Get<uint8_t>() != 0;
  if (!in.ok() || static_cast<int32_t>(sent_ - sequence) < 0) return false;
  if (has_failed) {
    const std::string text(in.Rest());
    const std::string ids = flights_->FailBatch(sequence, text);
    if (hub_.logger != nullptr) {
      hub_.logger->Log(LogLevel::kError, label_, "[request id: " + ids + "] " + text);
    }
  }
  records_.End(sequence, std::chrono::nanoseconds(run_ns), std::chrono::steady_clock::now());
  run_ns_.store(records_.batch_time().count(), std::memory_order_relaxed);
  request_ns_.store(records_.request_time().count(), std::memory_order_relaxed);
  fixed_ns_.store(records_.fixed_time().count(), std::memory_order_relaxed);
  const uint32_t done = done_.load(std::memory_order_relaxed);
  if (static_cast<int32_t>(sequence - done) > 0) done_.store(sequence, std::memory_order_release);
  return true;
}

void WorkerProcess::OnReply(std::string_view payload) {
  MessageReader in(payload);
  const bool is_ok = in.Get<uint8_t>() != 0;
  MutexLock lock(&mu_);
  has_reply_ = true;
  reply_ok_ = is_ok;
  reply_ = std::string(in.Rest());
  changed_.NotifyAll();
}

}  // namespace pt::backend
