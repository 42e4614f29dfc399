#include "bindings/hot/ring.h"

#include <Python.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace pt::hot {
namespace {

constexpr uint32_t kMask = Ring::kRingBytes - 1;
constexpr uint32_t kHeader = 8;  // size, type
constexpr size_t kCancelOffset = 4096;
constexpr size_t kToWorker = size_t{128} << 10;
constexpr size_t kFromWorker = kToWorker + Ring::kRingBytes;
constexpr long kRoomNanoseconds = 50'000'000;

// Words, as indices of 4 bytes.
constexpr uint32_t kToTail = 0;
constexpr uint32_t kToHead = 16;
constexpr uint32_t kSleeps = 17;
constexpr uint32_t kBegun = 18;
constexpr uint32_t kWantsRoom = 19;
constexpr uint32_t kFromTail = 32;
constexpr uint32_t kFromHead = 48;
constexpr uint32_t kReader = 49;
constexpr uint32_t kLogMask = 50;
// States of the reader; the last two are followed by the number of the wait.
constexpr uint32_t kReaderNobody = 0;
constexpr uint32_t kReaderDozes = 2;
constexpr uint32_t kReaderSleeps = 3;
constexpr uint32_t kLoopWaits = 4;

uint32_t Needed(uint32_t size) { return kHeader + ((size + 7) & ~uint32_t{7}); }

// Others run while this thread sleeps.
void Sleep(std::atomic<uint32_t>* word, uint32_t expected, const timespec* limit) {
  PyThreadState* const state = PyEval_SaveThread();
  syscall(SYS_futex, word, FUTEX_WAIT, expected, limit, nullptr, 0);
  PyEval_RestoreThread(state);
}

// False, with a Python error: a model has closed or filled it.
bool RingBell(int bell) {
  const uint64_t one = 1;
  ssize_t written = -1;
  do written = write(bell, &one, sizeof one);
  while (written < 0 && errno == EINTR);
  if (written < 0) PyErr_SetFromErrno(PyExc_OSError);
  return written >= 0;
}

}  // namespace

Ring::Ring(char* memory, int bell, int loop_bell)
    : memory_(memory), bell_(bell), loop_bell_(loop_bell) {}

std::atomic<uint32_t>& Ring::Word(uint32_t index) const {
  return reinterpret_cast<std::atomic<uint32_t>*>(memory_)[index];
}

bool Ring::HasMessage() const { return Word(kToTail).load(std::memory_order_acquire) != read_; }

void Ring::Wait(double seconds) {
  if (HasMessage()) return;
  Word(kSleeps).store(1, std::memory_order_seq_cst);
  timespec limit{static_cast<time_t>(seconds), 0};
  limit.tv_nsec = static_cast<long>((seconds - static_cast<double>(limit.tv_sec)) * 1e9);
  if (Word(kToTail).load(std::memory_order_seq_cst) == read_) {
    Sleep(&Word(kToTail), read_, seconds > 0 ? &limit : nullptr);
  }
  Word(kSleeps).store(0, std::memory_order_relaxed);
}

Ring::Found Ring::Take(Received* message) {
  while (true) {
    const uint32_t there = Word(kToTail).load(std::memory_order_acquire) - read_;
    if (there == 0) return Found::kNone;
    const char* at = memory_ + kToWorker + (read_ & kMask);
    uint32_t header[2];
    std::memcpy(header, at, kHeader);
    const uint32_t most = std::min(there, kRingBytes - (read_ & kMask));
    if (there > kRingBytes || header[0] > kRingBytes || Needed(header[0]) > most) {
      PyErr_Format(PyExc_ValueError,
                   "expected a whole message of the server, got %u bytes where %u have room",
                   header[0], most);
      return Found::kFailed;
    }
    next_ = read_ + Needed(header[0]);
    if (header[1] != 0) {
      *message = {header[1], {at + kHeader, header[0]}};
      return Found::kMessage;
    }
    Taken();  // it fills the ring's end
  }
}

void Ring::Taken() {
  read_ = next_;
  Word(kToHead).store(read_, std::memory_order_release);
}

void Ring::BeginBatch(uint32_t sequence) {
  Word(kBegun).store(sequence, std::memory_order_release);
}

bool Ring::LookAtUnread(uint32_t* unread) const {
  *unread = write_ - Word(kFromHead).load(std::memory_order_seq_cst);
  if (*unread <= kRingBytes) return true;
  PyErr_Format(PyExc_ValueError, "expected at most %u bytes that the server hasn't read, got %u",
               kRingBytes, *unread);
  return false;
}

bool Ring::Write(uint32_t code, std::string_view payload) {
  const auto size = static_cast<uint32_t>(payload.size());
  const uint32_t needed = Needed(size);
  uint32_t skipped = 0;
  while (true) {  // another thread may write while this one waits
    const uint32_t to_end = kRingBytes - (write_ & kMask);
    skipped = to_end < needed ? to_end : 0;
    uint32_t unread = 0;
    if (!LookAtUnread(&unread)) return false;
    if (kRingBytes - unread >= needed + skipped) break;
    if (!WaitForRoom(needed + skipped)) return false;
  }
  char* const ring = memory_ + kFromWorker;
  if (skipped > 0) {
    const uint32_t filler[2] = {skipped - kHeader, 0};
    std::memcpy(ring + (write_ & kMask), filler, kHeader);
    write_ += skipped;
  }
  char* const at = ring + (write_ & kMask);
  const uint32_t header[2] = {size, code};
  std::memcpy(at, header, kHeader);
  if (size > 0) std::memcpy(at + kHeader, payload.data(), size);
  write_ += needed;
  Word(kFromTail).store(write_, std::memory_order_seq_cst);
  return true;
}

bool Ring::WaitForRoom(uint32_t needed) {
  Word(kWantsRoom).store(1, std::memory_order_seq_cst);
  uint32_t unread = 0;
  if (!LookAtUnread(&unread)) return false;
  if (kRingBytes - unread >= needed) return true;
  const uint32_t head = write_ - unread;
  if (!Notify(Urgency::kNow)) return false;
  const timespec limit{0, kRoomNanoseconds};
  Sleep(&Word(kFromHead), head, &limit);
  return true;
}

bool Ring::Notify(Urgency urgency) {
  if (is_left_) return true;
  const uint32_t reader = Word(kReader).load(std::memory_order_seq_cst);
  if (reader > kReaderSleeps) {
    if (reader == rung_) return true;  // for this wait it was rung already
    if (urgency == Urgency::kWhenItLooks && (reader & 7) != kLoopWaits) return true;
    rung_ = reader;
    return RingBell(loop_bell_);
  }
  if (reader == kReaderSleeps || (urgency == Urgency::kNow && reader == kReaderDozes)) {
    syscall(SYS_futex, &Word(kFromTail), FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  return reader != kReaderNobody || RingBell(bell_);
}

bool Ring::IsCancelled(uint32_t slot) const {
  return slot < kCancelFlags && memory_[kCancelOffset + slot] != 0;
}

bool Ring::IsLogged(uint32_t level) const {
  return level < 32 && (Word(kLogMask).load(std::memory_order_relaxed) >> level & 1) != 0;
}

}  // namespace pt::hot
