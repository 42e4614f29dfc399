// LogFormatter: one log line as text. The default and ISO8601 forms are Triton's
// (spec/triton-frontend 4.4); the JSON form is one object a line: ts, level, where, request_id
// (when there is one), msg.
//
// Thread rule: belongs to the writer's thread (it remembers the last second's text).
#pragma once

#include <string>
#include <string_view>

#include "base/log.h"
#include "base/log_queue.h"

namespace pt {

class LogFormatter {
 public:
  explicit LogFormatter(int process_id) : process_id_(process_id) {}

  // Appends the line with its line feed.
  void Append(const LogLine& line, LogFormat format, std::string* out);

 private:
  void AppendTime(const LogLine& line, LogFormat format, std::string* out);

  const int process_id_;
  LogFormat last_format_ = LogFormat::kDefault;
  std::chrono::system_clock::time_point last_second_ = std::chrono::system_clock::time_point::min();
  std::string last_text_;  // of that second in that format
};

// Appends `text` as a JSON string without quotes: escaped, and bytes that are no UTF-8 replaced by
// U+FFFD, so that a log stays readable whatever a client sent.
void AppendJsonEscaped(std::string_view text, std::string* out);

}  // namespace pt
