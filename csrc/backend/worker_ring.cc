#include "backend/worker_ring.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace pt::backend {
namespace {

// The layout. backends/_ring.py and bindings/hot/ring.cc have the same numbers.
constexpr size_t kCancelOffset = 4096;
constexpr size_t kSlotOffset = kCancelOffset + WorkerRing::kCancelFlags;
constexpr size_t kToWorkerOffset = size_t{128} << 10;
constexpr size_t kFromWorkerOffset = kToWorkerOffset + WorkerRing::kRingBytes;
constexpr size_t kTotalBytes = kFromWorkerOffset + WorkerRing::kRingBytes;
constexpr uint32_t kMask = WorkerRing::kRingBytes - 1;
constexpr uint32_t kHeader = 8;       // size, type
constexpr uint32_t kFiller = 0;       // type of what fills the ring's end
constexpr uint32_t kInterrupted = 7;  // positions are multiples of 8: the rest of the word is ours
static_assert(kSlotOffset + WorkerRing::kSlots * 4 <= kToWorkerOffset);

uint32_t RoundUp8(uint32_t size) { return (size + 7) & ~uint32_t{7}; }

void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace

// Each word on a cache line of its own with what the same side writes.
struct WorkerRing::Words {
  alignas(64) std::atomic<uint32_t> to_tail;  // written by the server; the worker sleeps on it
  alignas(64) std::atomic<uint32_t> to_head;  // written by the worker
  std::atomic<uint32_t> worker_sleeps;
  std::atomic<uint32_t> begun;
  std::atomic<uint32_t> worker_wants_room;
  alignas(64) std::atomic<uint32_t> from_tail;  // written by the worker; the server sleeps on it
  alignas(64) std::atomic<uint32_t> from_head;  // written by the server
  std::atomic<uint32_t> reader;                 // Reader
  std::atomic<uint32_t> log_mask;
};

namespace {
// The last two are followed by a number, so that the worker rings once for each wait.
enum Reader : uint32_t {
  kNobody = 0,
  kReads = 1,
  kDozes = 2,
  kSleeps = 3,
  kLoopWaits = 4,
  kLoopDozes = 5
};
constexpr uint32_t kWaitNumber = 8;
}  // namespace

Result<std::unique_ptr<WorkerRing>> WorkerRing::Create() {
  static_assert(sizeof(Words) <= kCancelOffset && std::atomic<uint32_t>::is_always_lock_free);
  const int fd = memfd_create("pytriton-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  void* base = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, kTotalBytes) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    base = mmap(nullptr, kTotalBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  if (base != MAP_FAILED) {
    return std::unique_ptr<WorkerRing>(new WorkerRing(fd, static_cast<char*>(base)));
  }
  const std::string reason = std::strerror(errno);
  if (fd >= 0) close(fd);
  return Unavailable("expected shared memory for a worker's messages, got: " + reason);
}

WorkerRing::WorkerRing(int fd, char* base)
    : fd_(fd), base_(base), words_(reinterpret_cast<Words*>(base)) {}

WorkerRing::~WorkerRing() {
  munmap(base_, kTotalBytes);
  close(fd_);
}

bool WorkerRing::Write(ToWorker type, bool is_elsewhere, std::string_view payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  const uint32_t needed = kHeader + RoundUp8(size);
  const uint32_t head = words_->to_head.load(std::memory_order_acquire);
  const uint32_t used = write_position_ - head;
  if (used > kRingBytes) return false;  // the worker wrote nonsense: it gets nothing more
  const uint32_t to_end = kRingBytes - (write_position_ & kMask);
  const uint32_t skipped = to_end < needed ? to_end : 0;
  if (kRingBytes - used < skipped + needed) return false;
  char* ring = base_ + kToWorkerOffset;
  if (skipped > 0) {
    const uint32_t filler[2] = {skipped - kHeader, kFiller};
    std::memcpy(ring + (write_position_ & kMask), filler, kHeader);
    write_position_ += skipped;
  }
  const uint32_t code = static_cast<uint32_t>(type) | (is_elsewhere ? kElsewhere : 0);
  const uint32_t header[2] = {size, code};
  char* at = ring + (write_position_ & kMask);
  std::memcpy(at, header, kHeader);
  if (size > 0) std::memcpy(at + kHeader, payload.data(), size);
  write_position_ += needed;
  words_->to_tail.store(write_position_, std::memory_order_seq_cst);
  if (words_->worker_sleeps.load(std::memory_order_seq_cst) != 0) {
    words_->worker_sleeps.store(0, std::memory_order_relaxed);
    FutexWake(&words_->to_tail);
  }
  return true;
}

bool WorkerRing::HasRoom() const {
  const uint32_t used = write_position_ - words_->to_head.load(std::memory_order_acquire);
  return used <= kRingBytes / 4;  // of the rest, the end may have to be skipped
}

bool WorkerRing::IsReaderLost() const {
  return write_position_ - words_->to_head.load(std::memory_order_acquire) > kRingBytes;
}

WorkerRing::ReadResult WorkerRing::Read(uint32_t* type, std::string* payload) {
  while (true) {
    const uint32_t tail = words_->from_tail.load(std::memory_order_acquire) & ~kInterrupted;
    const uint32_t there = tail - read_position_;
    if (there == 0) return ReadResult::kEmpty;
    const uint32_t to_end = kRingBytes - (read_position_ & kMask);
    if (there > kRingBytes || there < kHeader || to_end < kHeader) return ReadResult::kBroken;
    const char* at = base_ + kFromWorkerOffset + (read_position_ & kMask);
    uint32_t header[2];
    std::memcpy(header, at, kHeader);
    if (header[0] > kRingBytes) return ReadResult::kBroken;
    const uint32_t needed = kHeader + RoundUp8(header[0]);
    if (needed > there || needed > to_end) return ReadResult::kBroken;
    if (header[1] != kFiller) {
      *type = header[1];
      payload->assign(at + kHeader, header[0]);
    }
    read_position_ += needed;
    words_->from_head.store(read_position_, std::memory_order_seq_cst);
    if (words_->worker_wants_room.load(std::memory_order_seq_cst) != 0) {
      words_->worker_wants_room.store(0, std::memory_order_relaxed);
      FutexWake(&words_->from_head);
    }
    if (header[1] != kFiller) return ReadResult::kMessage;
  }
}

bool WorkerRing::HasMessage() const {
  return (words_->from_tail.load(std::memory_order_acquire) & ~kInterrupted) != read_position_;
}

void WorkerRing::BeginReading() { words_->reader.store(kReads, std::memory_order_seq_cst); }

bool WorkerRing::EndReading() {
  uint32_t reader = kNobody;
  if (bell_ == Bell::kLoop) {
    reader = (is_patient_ ? kLoopDozes : kLoopWaits) + ++waits_ * kWaitNumber;
  }
  words_->reader.store(reader, std::memory_order_seq_cst);
  return (words_->from_tail.load(std::memory_order_seq_cst) & ~kInterrupted) == read_position_;
}

bool WorkerRing::WaitForMessage(Duration timeout) {
  words_->reader.store(timeout.count() > 0 ? kDozes : kSleeps, std::memory_order_seq_cst);
  const uint32_t tail = words_->from_tail.load(std::memory_order_seq_cst);
  bool in_time = true;
  if ((tail & ~kInterrupted) == read_position_ &&
      !is_interrupted_.load(std::memory_order_seq_cst)) {
    const auto nanoseconds = timeout.count();
    timespec limit{static_cast<time_t>(nanoseconds / 1000000000), nanoseconds % 1000000000};
    const long result = syscall(SYS_futex, &words_->from_tail, FUTEX_WAIT, tail,
                                nanoseconds > 0 ? &limit : nullptr, nullptr, 0);
    in_time = result == 0 || errno != ETIMEDOUT;
  }
  words_->reader.store(kReads, std::memory_order_seq_cst);
  return in_time;
}

void WorkerRing::Interrupt() {
  is_interrupted_.store(true, std::memory_order_seq_cst);
  // A waiter that has just looked at the word finds another value and doesn't fall asleep.
  words_->from_tail.fetch_or(1, std::memory_order_seq_cst);
  FutexWake(&words_->from_tail);
}

void WorkerRing::SetCancelled(uint32_t slot, bool value) {
  if (slot >= kCancelFlags) return;
  std::atomic_ref<char>(base_[kCancelOffset + slot])
      .store(value ? 1 : 0, std::memory_order_relaxed);
}

std::atomic<uint32_t>& WorkerRing::Slot(uint32_t slot) const {
  return reinterpret_cast<std::atomic<uint32_t>*>(base_ + kSlotOffset)[slot];
}

void WorkerRing::FreeSlot(uint32_t slot) {
  if (slot < kSlots) Slot(slot).store(0, std::memory_order_release);
}

void WorkerRing::SetLogMask(uint32_t mask) {
  words_->log_mask.store(mask, std::memory_order_relaxed);
}

uint32_t WorkerRing::begun() const { return words_->begun.load(std::memory_order_acquire); }

}  // namespace pt::backend
