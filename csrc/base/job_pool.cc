#include "base/job_pool.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace pt {
namespace {

constexpr size_t kThreadNameSize = 15;  // the kernel's limit, without the final zero

}  // namespace

JobPool::JobPool(const std::string& name, int max_threads)
    : name_(name.substr(0, kThreadNameSize)),
      max_threads_(static_cast<size_t>(std::max(1, max_threads))) {}

JobPool::~JobPool() {
  std::vector<std::thread> threads;
  for (;;) {
    {
      MutexLock lock(&mu_);
      is_closing_ = true;
      wake_.NotifyAll();
      threads.swap(threads_);
    }
    // A last job may have posted another one, which may have started a thread.
    if (threads.empty()) return;
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
}

void JobPool::Post(std::function<void()> job) {
  MutexLock lock(&mu_);
  jobs_.push_back(std::move(job));
  if (idle_ >= jobs_.size() || threads_.size() >= max_threads_) {
    wake_.NotifyOne();
    return;
  }
  threads_.emplace_back([this] { Run(); });
  pthread_setname_np(threads_.back().native_handle(), name_.c_str());
}

int JobPool::pending() const {
  MutexLock lock(&mu_);
  return static_cast<int>(jobs_.size()) + running_;
}

void JobPool::Run() {
  for (;;) {
    std::function<void()> job;
    {
      MutexLock lock(&mu_);
      ++idle_;
      while (jobs_.empty() && !is_closing_) wake_.Wait(&mu_);
      --idle_;
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      ++running_;
    }
    job();
    job = nullptr;  // what it holds goes before it counts as done
    MutexLock lock(&mu_);
    --running_;
  }
}

}  // namespace pt
