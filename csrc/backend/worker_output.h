// WorkerOutput: what a worker prints, line by line into the server's log; remembers the last line
// of a failure for messages.
//
// Thread rule: one thread at a time. Owner rule: borrows the logger.
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"

namespace pt::backend {

class WorkerOutput {
 public:
  WorkerOutput(Logger* logger, std::string label) : logger_(logger), label_(std::move(label)) {}

  // Reads what there is from a non-blocking descriptor. False: its end.
  bool ReadFrom(int fd);
  // What came without an end of line.
  void Flush();
  const std::string& last_line() const { return last_line_; }

 private:
  void Take(std::string_view bytes);
  void Emit(std::string_view line);

  // Longer lines are cut: a model may print binary junk.
  static constexpr size_t kLongestLine = 8192;
  Logger* const logger_;
  const std::string label_;
  std::string line_;
  std::string last_line_;
};

}  // namespace pt::backend
