#include "base/job_pool.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace pt {
namespace {

constexpr size_t kThreadNameSize = 15;  // the kernel's limit, without the final zero

}  // namespace

JobPool::JobPool(const std::string& name, int max_threads, Duration patience)
    : name_(name.substr(0, kThreadNameSize)),
      max_threads_(static_cast<size_t>(std::max(1, max_threads))),
      patience_(patience) {}

JobPool::~JobPool() {
  std::thread watcher;
  {
    MutexLock lock(&mu_);
    is_closing_ = true;
    wake_.NotifyAll();
    watch_.NotifyAll();
    watcher = std::move(watcher_);
  }
  if (watcher.joinable()) watcher.join();  // it ends when nothing waits any more
  std::vector<std::thread> threads;
  for (;;) {
    {
      MutexLock lock(&mu_);
      wake_.NotifyAll();
      threads.swap(threads_);
    }
    // A last job may have posted another one, which may have started a thread.
    if (threads.empty()) return;
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
}

size_t JobPool::CountedLocked(TimePoint now) const {
  if (patience_ == kEndlessPatience) return running_.size();
  return static_cast<size_t>(std::distance(running_.upper_bound(now - patience_), running_.end()));
}

void JobPool::StaffLocked(TimePoint now) {
  const size_t counted = CountedLocked(now);
  for (;;) {
    const size_t free = threads_.size() - running_.size();  // idle, or on their way to the queue
    if (free >= jobs_.size() || counted + free >= max_threads_) return;
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name_.c_str());
  }
}

void JobPool::Post(std::function<void()> job) {
  MutexLock lock(&mu_);
  jobs_.push_back(std::move(job));
  const TimePoint now = std::chrono::steady_clock::now();
  StaffLocked(now);
  wake_.NotifyOne();
  const bool has_place_for_all = CountedLocked(now) + jobs_.size() <= max_threads_;
  if (has_place_for_all || patience_ == kEndlessPatience) return;
  if (!watcher_.joinable() && !is_closing_) watcher_ = std::thread([this] { Watch(); });
  watch_.NotifyOne();
}

void JobPool::Watch() {
  pthread_setname_np(pthread_self(), name_.c_str());
  MutexLock lock(&mu_);
  for (;;) {
    if (jobs_.empty()) {
      if (is_closing_) return;
      watch_.Wait(&mu_);
      continue;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    StaffLocked(now);
    wake_.NotifyAll();
    // When the next running job loses its place.
    const auto next = running_.upper_bound(now - patience_);
    watch_.WaitUntil(&mu_, (next == running_.end() ? now : *next) + patience_);
  }
}

int JobPool::pending() const {
  MutexLock lock(&mu_);
  return static_cast<int>(jobs_.size() + running_.size());
}

bool JobPool::TakeLocked(std::function<void()>* job) {
  for (;;) {
    const TimePoint now = std::chrono::steady_clock::now();
    if (!jobs_.empty() && CountedLocked(now) < max_threads_) break;
    if (jobs_.empty() && is_closing_) return false;
    wake_.Wait(&mu_);
  }
  *job = std::move(jobs_.front());
  jobs_.pop_front();
  if (jobs_.empty() && is_closing_) {
    wake_.NotifyAll();
    watch_.NotifyAll();
  }
  return true;
}

void JobPool::Run() {
  for (;;) {
    std::function<void()> job;
    std::multiset<TimePoint>::iterator began;
    {
      MutexLock lock(&mu_);
      if (!TakeLocked(&job)) return;
      began = running_.insert(std::chrono::steady_clock::now());
    }
    job();
    job = nullptr;  // what it holds goes before it counts as done
    MutexLock lock(&mu_);
    running_.erase(began);
  }
}

}  // namespace pt
