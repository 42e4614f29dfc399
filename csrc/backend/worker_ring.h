// The memory that a worker process shares with the server for messages: one ring each way, words to
// sleep on, and tables of flags. The worker (pytriton/backends/_worker.py) knows the same layout.
//
// A ring has one writer and one reader at a time, each of which only stores its own position.
// Nothing that the worker writes is trusted: positions and sizes are checked, messages are copied
// before they are parsed, and no side ever holds a lock in it.
//
// Thread rule: the writing half and the reading half are each used by one thread at a time;
// wake-ups and flags by any. Owner rule: owns its mapping; belongs to one worker process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace pt::backend {

// Message types, from the server.
enum class ToWorker : uint32_t {
  kBatch = 1,
  kComplete = 2,
  kSetup = 3,
  kInitialize = 4,
  kFinalize = 5
};
// And from the worker.
enum class FromWorker : uint32_t {
  kReply = 1,
  kResponses = 2,
  kBatchDone = 3,
  kLog = 4,
  kReturnInputs = 5,
  kRelease = 6,
  kReschedule = 7,
  kMetrics = 8,
  kCall = 9,
  kSubmit = 10,
  kCancelSubmit = 11,
  kReady = 12,  // answers Frame::kIsReady: the reason why it isn't, or nothing
};
// Set in a type whose payload lies elsewhere: an offset and a size (u64 each), and a u32 that names
// the memory.
inline constexpr uint32_t kElsewhere = 0x80000000u;

class WorkerRing {
 public:
  static constexpr size_t kCancelFlags = 16384;  // requests that a worker holds at a time
  static constexpr size_t kSlots = 16384;        // pieces of the response memory in use at a time
  static constexpr size_t kRingBytes = size_t{256} << 10;
  static constexpr size_t kLargestMessage = kRingBytes / 4;

  // Errors: Unavailable.
  static Result<std::unique_ptr<WorkerRing>> Create();
  ~WorkerRing();
  WorkerRing(const WorkerRing&) = delete;
  WorkerRing& operator=(const WorkerRing&) = delete;

  int fd() const { return fd_; }

  // Writes one message and wakes the worker if it sleeps. False when there is no room now.
  // REQUIRES: payload.size() <= kLargestMessage.
  bool Write(ToWorker type, bool is_elsewhere, std::string_view payload);
  // Whether another message of any size certainly finds room.
  bool HasRoom() const;
  // The worker's reading position makes no sense: nothing can be written any more, it must go.
  bool IsReaderLost() const;

  enum class ReadResult { kMessage, kEmpty, kBroken };
  // Takes the next message; `type` as the worker wrote it. kBroken: the ring's contents make no
  // sense, the worker must go.
  ReadResult Read(uint32_t* type, std::string* payload);

  bool HasMessage() const;

  // How the reading side waits. Between BeginReading and EndReading the worker rings no bell; after
  // it, it rings one for the next message: the monitor's, or the one of the loop that is followed.
  void BeginReading();
  // True: nothing came in the meantime. False: read again first.
  bool EndReading();
  // Which bell that is. Called by who reads.
  enum class Bell { kMonitor, kLoop };
  void set_bell(Bell bell) { bell_ = bell; }
  // The loop looks again within a millisecond: while the worker has more to do it needn't ring for
  // each message.
  void set_patience(bool is_patient) { is_patient_ = is_patient; }
  // Sleeps until a message is there, `timeout` (zero: none) is over, or Interrupt was called. With
  // a time-out the worker may leave it asleep as long as it has more to do. REQUIRES: between
  // BeginReading and EndReading. False on time-out.
  bool WaitForMessage(Duration timeout);
  // Ends the present or next WaitForMessage for ever (the worker is dead). Any thread.
  void Interrupt();

  void SetCancelled(uint32_t slot, bool value);
  void FreeSlot(uint32_t slot);  // any thread
  void SetLogMask(uint32_t mask);
  // Batches that the worker says to have begun.
  uint32_t begun() const;

 private:
  struct Words;
  WorkerRing(int fd, char* base);
  std::atomic<uint32_t>& Slot(uint32_t slot) const;

  const int fd_;
  char* const base_;
  Words* const words_;
  Bell bell_ = Bell::kMonitor;
  bool is_patient_ = false;
  uint32_t waits_ = 0;  // how often the reader has begun to wait for the loop's bell
  uint32_t write_position_ = 0;
  uint32_t read_position_ = 0;
  std::atomic<bool> is_interrupted_{false};
};

}  // namespace pt::backend
