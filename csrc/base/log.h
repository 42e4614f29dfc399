// Log: asynchronous, bounded, structured lines. A Logger is an object that is passed on; a full
// queue drops the oldest lines and says how many. Each line of a request carries its id. Verbose
// lines of requests have a budget (log_budget.h), so that logging never slows what it tells about.
//
// Thread rule: thread-safe; Log never blocks on the sink and takes no lock that a sink holds.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace pt {

enum class LogLevel { kVerbose, kInfo, kWarning, kError };
enum class LogFormat { kDefault, kIso8601, kJson };

struct LogOptions {
  int verbose_level = 0;
  bool info = true;
  bool warning = true;
  bool error = true;
  LogFormat format = LogFormat::kDefault;
  std::string file;              // empty: stderr
  size_t queue_capacity = 8192;  // lines
};

class Logger {
 public:
  // Errors: Unavailable when the file can't be opened.
  static Result<std::unique_ptr<Logger>> Create(const LogOptions& options);
  ~Logger();  // writes what is queued
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  bool IsOn(LogLevel level, int verbose_level = 1) const {
    return level == LogLevel::kVerbose
               ? verbose_.load(std::memory_order_relaxed) >= verbose_level
               : enabled_[static_cast<int>(level)].load(std::memory_order_relaxed);
  }
  // IsOn for a verbose line of a request, which this also takes from the budget.
  bool Admits(int verbose_level) { return IsOn(LogLevel::kVerbose, verbose_level) && TakeRoom(); }
  // Queues one line. `request_id` may be empty. `where` is "file.cc:12".
  void Log(LogLevel level, std::string_view where, std::string_view message,
           std::string_view request_id = {});
  void Flush();

  // Changes levels and format of a running logger (the logging endpoint); the file stays.
  void Update(const LogOptions& options);
  LogOptions options() const;

 private:
  struct Impl;
  explicit Logger(std::unique_ptr<Impl> impl, const LogOptions& options);
  bool TakeRoom();
  std::atomic<int> verbose_{0};
  std::atomic<bool> enabled_[4];
  std::unique_ptr<Impl> impl_;
};

}  // namespace pt

#define PT_STRINGIZE_INNER(x) #x
#define PT_STRINGIZE(x) PT_STRINGIZE_INNER(x)
#define PT_WHERE (std::string_view(__FILE__ ":" PT_STRINGIZE(__LINE__)))

// The message expression is evaluated only when the level is on. `logger` may be null.
#define PT_LOG(logger, level, message)                                      \
  do {                                                                      \
    ::pt::Logger* pt_logger_ = (logger);                                    \
    if (pt_logger_ != nullptr && pt_logger_->IsOn(::pt::LogLevel::level)) { \
      pt_logger_->Log(::pt::LogLevel::level, PT_WHERE, (message));          \
    }                                                                       \
  } while (0)

#define PT_VLOG(logger, verbosity, request_id, message)                             \
  do {                                                                              \
    ::pt::Logger* pt_logger_ = (logger);                                            \
    if (pt_logger_ != nullptr && pt_logger_->Admits(verbosity)) {                   \
      pt_logger_->Log(::pt::LogLevel::kVerbose, PT_WHERE, (message), (request_id)); \
    }                                                                               \
  } while (0)
