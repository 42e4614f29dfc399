// Ring: the worker's half of the memory for messages (backend/worker_ring.h, whose layout this
// repeats; the twin in Python is backends/_ring.py).
//
// Thread rule: with the interpreter lock held, which is what keeps writers apart: it is given up
// while this waits, for a message or for room, but never inside a message. Owner rule: borrows the
// memory and the descriptors.
//
// A model may have written anywhere: positions and sizes that make no sense are a ValueError.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pt::hot {

// Message types, of those that this module knows (FromWorker, ToWorker).
inline constexpr uint32_t kBatch = 1;
inline constexpr uint32_t kResponses = 2;
inline constexpr uint32_t kBatchDone = 3;
inline constexpr uint32_t kReturnInputs = 5;
inline constexpr uint32_t kElsewhere = 0x80000000u;  // set in a type: the payload lies elsewhere

class Ring {
 public:
  static constexpr uint32_t kRingBytes = 256u << 10;
  static constexpr uint32_t kLargest = kRingBytes / 4;
  static constexpr uint32_t kCancelFlags = 16384;
  static constexpr size_t kTotalBytes = (size_t{128} << 10) + 2 * size_t{kRingBytes};

  struct Received {
    uint32_t code = 0;
    std::string_view bytes;  // valid until Taken
  };

  Ring(char* memory, int bell, int loop_bell);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Waits until a message is there, the time (zero: for ever) is over or a signal comes.
  void Wait(double seconds);
  // The next message. kFailed: a Python error is set.
  enum class Found { kMessage, kNone, kFailed };
  Found Take(Received* message);
  // Gives the bytes of the last message back.
  void Taken();
  bool HasMessage() const;
  // Tells that this batch is being run.
  void BeginBatch(uint32_t sequence);

  // Writes one message; waits for room. False: a Python error is set. REQUIRES: at most kLargest
  // bytes, which stay as they are also while other threads run.
  bool Write(uint32_t code, std::string_view payload);
  enum class Urgency { kNow, kWhenItLooks };
  // Wakes the server if it doesn't read; kWhenItLooks: not if it looks again by itself within a
  // millisecond. False: a Python error is set.
  bool Notify(Urgency urgency);

  bool IsCancelled(uint32_t slot) const;
  bool IsLogged(uint32_t level) const;

  // In a process that was forked from the worker: from now on nothing is sent.
  void Leave() { is_left_ = true; }
  bool is_left() const { return is_left_; }

 private:
  std::atomic<uint32_t>& Word(uint32_t index) const;
  // How much of what was written the server hasn't read. False: a Python error is set.
  bool LookAtUnread(uint32_t* unread) const;
  bool WaitForRoom(uint32_t needed);

  char* const memory_;
  const int bell_;
  const int loop_bell_;
  uint32_t read_ = 0;
  uint32_t next_ = 0;  // where the message after the one that was taken begins
  uint32_t write_ = 0;
  uint32_t rung_ = 0;  // the loop's wait that was rung for last
  bool is_left_ = false;
};

}  // namespace pt::hot
