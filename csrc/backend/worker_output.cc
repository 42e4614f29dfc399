#include "backend/worker_output.h"

#include <unistd.h>

#include <cerrno>

namespace pt::backend {

bool WorkerOutput::ReadFrom(int fd) {
  char buffer[16384];
  // A bound, so that a model that prints without pause delays nobody else's worker.
  for (int round = 0; round < 8; ++round) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    Take({buffer, static_cast<size_t>(count)});
  }
  return true;
}

void WorkerOutput::Take(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) {
      if (line_.size() > kLongestLine) Flush();
      return;
    }
    Flush();
    bytes.remove_prefix(end + 1);
  }
}

void WorkerOutput::Flush() {
  if (!line_.empty()) Emit(line_);
  line_.clear();
}

void WorkerOutput::Emit(std::string_view line) {
  if (line.size() > kLongestLine) line = line.substr(0, kLongestLine);
  last_line_.assign(line);
  if (logger_ != nullptr && logger_->IsOn(LogLevel::kInfo)) {
    logger_->Log(LogLevel::kInfo, label_, line);
  }
}

}  // namespace pt::backend
