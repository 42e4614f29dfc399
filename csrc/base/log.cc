#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log_budget.h"
#include "base/log_format.h"
#include "base/log_queue.h"
#include "base/mutex.h"

namespace pt {
namespace {

// Formatted text is written at the latest when this much has gathered.
constexpr size_t kWriteSize = size_t{64} << 10;

// A file descriptor that is closed with it, or the borrowed standard error.
class Output {
 public:
  Output(int fd, bool is_owned) : fd_(fd), is_owned_(is_owned) {}
  ~Output() {
    if (is_owned_) close(fd_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // What can't be written is lost: there is nobody left to tell.
  void Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<size_t>(written));
      } else if (errno == EAGAIN) {
        // Standard error may be shared with a program that made it non-blocking.
        pollfd ready{fd_, POLLOUT, 0};
        poll(&ready, 1, -1);
      } else if (errno != EINTR) {
        return;
      }
    }
  }

 private:
  const int fd_;
  const bool is_owned_;
};

// The steady clock as of the kernel's last tick, a few milliseconds ago: enough to tell the
// budget's periods apart, at a fifth of the price, which every request pays twice.
TimePoint CoarseNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace

// Threads: `writer` formats and writes; it ends when the queue is closed and empty.
struct Logger::Impl {
  Impl(const LogOptions& options, int fd, bool is_owned)
      : output(fd, is_owned),
        queue(options.queue_capacity),
        format(options.format),
        current(options) {
    writer = std::thread([this] { Run(); });
    pthread_setname_np(writer.native_handle(), "pt-log");
  }

  ~Impl() {
    queue.Close();
    writer.join();
  }

  void Run() {
    LogFormatter formatter(getpid());
    LogBatch batch;
    std::string text;
    while (queue.Take(&batch)) {
      WriteBatch(&batch, &formatter, &text);
      queue.MarkWritten(batch);
    }
    WriteBatch(&batch, &formatter, &text);  // what was left out since
  }

  void WriteBatch(LogBatch* batch, LogFormatter* formatter, std::string* text) {
    const LogFormat now_format = format.load(std::memory_order_relaxed);
    text->clear();
    const auto note = [&](uint64_t count, const char* what) {
      const std::string message = std::to_string(count) + what;
      if (count == 0) return;
      formatter->Append(
          {std::chrono::system_clock::now(), LogLevel::kWarning, PT_WHERE, {}, message}, now_format,
          text);
    };
    note(batch->dropped(), " log lines were dropped here: the queue was full");
    note(budget.TakeLeftOut(), " verbose lines were left out here: more than 10,000 a second");
    LogLine line;
    while (batch->Next(&line)) {
      formatter->Append(line, now_format, text);
      if (text->size() >= kWriteSize) {
        output.Write(*text);
        text->clear();
      }
    }
    output.Write(*text);
  }

  Output output;
  LogQueue queue;
  LogBudget budget;
  std::atomic<LogFormat> format;
  mutable Mutex mu;
  LogOptions current GUARDED_BY(mu);
  std::thread writer;  // last: it uses the others
};

Result<std::unique_ptr<Logger>> Logger::Create(const LogOptions& options) {
  int fd = STDERR_FILENO;
  if (!options.file.empty()) {
    fd = open(options.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return Unavailable("expected a log file that can be written, got '" + options.file +
                         "': " + std::system_category().message(errno));
    }
  }
  auto impl = std::make_unique<Impl>(options, fd, fd != STDERR_FILENO);
  return std::unique_ptr<Logger>(new Logger(std::move(impl), options));
}

Logger::Logger(std::unique_ptr<Impl> impl, const LogOptions& options) : impl_(std::move(impl)) {
  Update(options);
}

Logger::~Logger() = default;

void Logger::Log(LogLevel level, std::string_view where, std::string_view message,
                 std::string_view request_id) {
  impl_->queue.Push({std::chrono::system_clock::now(), level, where, request_id, message});
}

bool Logger::TakeRoom() { return impl_->budget.Take(CoarseNow()); }

void Logger::Flush() { impl_->queue.Flush(); }

void Logger::Update(const LogOptions& options) {
  MutexLock lock(&impl_->mu);
  const std::string file = std::move(impl_->current.file);
  impl_->current = options;
  impl_->current.file = file;
  impl_->format.store(options.format, std::memory_order_relaxed);
  verbose_.store(options.verbose_level, std::memory_order_relaxed);
  const auto enable = [this](LogLevel level, bool is_on) {
    enabled_[static_cast<int>(level)].store(is_on, std::memory_order_relaxed);
  };
  enable(LogLevel::kVerbose, options.verbose_level > 0);
  enable(LogLevel::kInfo, options.info);
  enable(LogLevel::kWarning, options.warning);
  enable(LogLevel::kError, options.error);
}

LogOptions Logger::options() const {
  MutexLock lock(&impl_->mu);
  return impl_->current;
}

}  // namespace pt
