#include "api/trace_drain.h"

#include <pthread.h>

#include <string>
#include <utility>

namespace pt::api {

TraceDrain::TraceDrain(std::unique_ptr<TraceSink> sink, DrainOptions options, Logger* logger)
    : sink_(std::move(sink)), options_(options), logger_(logger) {
  thread_ = std::thread([this] { Run(); });
}

TraceDrain::~TraceDrain() {
  {
    MutexLock lock(&mu_);
    is_closing_ = true;
    wake_.NotifyOne();
  }
  thread_.join();
}

void TraceDrain::Collect(std::unique_ptr<Trace> trace) {
  const size_t bytes = trace->tensor_bytes();
  MutexLock lock(&mu_);
  if (waiting_.size() >= options_.max_waiting ||
      tensor_bytes_ + bytes > options_.max_tensor_bytes) {
    ++dropped_;
    if (trace->subject.series) trace->subject.series->open.fetch_sub(1);
    return;
  }
  tensor_bytes_ += bytes;
  waiting_.push_back(std::move(trace));
  if (waiting_.size() == 1 || waiting_.size() == options_.hurry_at) wake_.NotifyOne();
}

bool TraceDrain::Flush(TimePoint deadline) {
  MutexLock lock(&mu_);
  ++flushing_;
  wake_.NotifyOne();
  bool is_done = true;
  while (is_done && (is_writing_ || !waiting_.empty())) is_done = idle_.WaitUntil(&mu_, deadline);
  --flushing_;
  return !is_writing_ && waiting_.empty();
}

TraceDrain::Traces TraceDrain::Next() {
  Traces traces;
  size_t dropped = 0;
  {
    MutexLock lock(&mu_);
    is_writing_ = false;
    if (waiting_.empty()) idle_.NotifyAll();
    while (waiting_.empty() && !is_closing_) wake_.Wait(&mu_);
    const TimePoint until = std::chrono::steady_clock::now() + options_.delay;
    while (!is_closing_ && flushing_ == 0 && waiting_.size() < options_.hurry_at) {
      if (!wake_.WaitUntil(&mu_, until)) break;
    }
    is_writing_ = true;
    traces.swap(waiting_);
    tensor_bytes_ = 0;
    dropped = std::exchange(dropped_, 0);
  }
  if (dropped > 0) WarnOfDropped(dropped);
  return traces;
}

void TraceDrain::WarnOfDropped(size_t dropped) {
  PT_LOG(logger_, kWarning,
         std::to_string(dropped) + " traces were dropped: they came faster than they are written");
}

void TraceDrain::Run() {
  pthread_setname_np(pthread_self(), "pt-trace");
  while (true) {
    Traces traces = Next();
    if (traces.empty()) return;
    sink_->Write(std::move(traces));
  }
}

}  // namespace pt::api
