// LogQueue: the bounded queue between those who log and the one thread that writes. Lines lie
// packed in one buffer, so that a line costs a copy and no allocation; the writer is woken for the
// first line of a silence and then takes what gathers in a while at once, because a wake-up costs
// more than many lines.
//
// Thread rule: Push and Flush from any thread; Take and MarkWritten from the writer; Close from the
// owner. Owner rule: owned by the Logger.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"

namespace pt {

struct LogLine {
  std::chrono::system_clock::time_point time;
  LogLevel level = LogLevel::kInfo;
  std::string_view where;
  std::string_view request_id;
  std::string_view message;
};

// Lines as they lie in the queue, taken by the writer.
class LogBatch {
 public:
  // The next line; false at the end. Its views are valid until the batch changes.
  bool Next(LogLine* line);
  uint64_t dropped() const { return dropped_; }

 private:
  friend class LogQueue;
  std::string bytes_;
  size_t at_ = 0;
  uint64_t dropped_ = 0;  // lines that were lost before these
  uint64_t last_ = 0;     // number of the last line, to be marked as written
};

class LogQueue {
 public:
  explicit LogQueue(size_t max_lines) : max_lines_(max_lines == 0 ? 1 : max_lines) {}

  // Adds a line; drops the oldest ones when there is no room. Long texts are cut.
  void Push(const LogLine& line) EXCLUDES(mu_);
  // Waits for lines and takes them all. False: closed, and nothing is left.
  bool Take(LogBatch* batch) EXCLUDES(mu_);
  // What was taken last is written.
  void MarkWritten(const LogBatch& batch) EXCLUDES(mu_);
  // Returns when everything that was pushed before is written.
  void Flush() EXCLUDES(mu_);
  // Take gives what is left and then false.
  void Close() EXCLUDES(mu_);

 private:
  void DropOldest() REQUIRES(mu_);

  const size_t max_lines_;
  Mutex mu_;
  CondVar not_empty_;
  CondVar written_;
  std::string bytes_ GUARDED_BY(mu_);
  size_t head_ GUARDED_BY(mu_) = 0;  // where the oldest line starts
  size_t lines_ GUARDED_BY(mu_) = 0;
  uint64_t dropped_ GUARDED_BY(mu_) = 0;
  uint64_t pushed_count_ GUARDED_BY(mu_) = 0;
  uint64_t written_count_ GUARDED_BY(mu_) = 0;
  bool is_waiting_ GUARDED_BY(mu_) = false;  // the writer sleeps until a line comes
  bool is_urgent_ GUARDED_BY(mu_) = false;   // the writer shall not let lines gather now
  bool is_closed_ GUARDED_BY(mu_) = false;
  TimePoint gather_until_ GUARDED_BY(mu_){};
};

}  // namespace pt
