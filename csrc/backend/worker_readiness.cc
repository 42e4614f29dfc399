#include "backend/worker_readiness.h"

#include <string>
#include <utility>

namespace pt::backend {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(500);
constexpr Duration kLimit = std::chrono::seconds(5);  // for one answer

}  // namespace

void WorkerReadiness::OnAnswer(std::string_view reason) {
  MutexLock lock(&mu_);
  is_asked_ = false;
  status_ = reason.empty() ? Status() : Unavailable(std::string(reason));
}

Status WorkerReadiness::status() const {
  MutexLock lock(&mu_);
  return status_;
}

void WorkerReadiness::Watch() {
  monitor_->Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Ask();
  });
}

void WorkerReadiness::Ask() {
  const TimePoint now = std::chrono::steady_clock::now();
  bool asks = false;
  {
    MutexLock lock(&mu_);
    asks = !std::exchange(is_asked_, true);
    if (asks) {
      asked_since_ = now;
    } else if (now - asked_since_ > kLimit) {
      status_ = Unavailable("Timed out waiting for user-defined is_ready() response");
    }
  }
  if (asks) asks_->AskIsReady();
  monitor_->PostAt(now + kPause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Ask();
  });
}

}  // namespace pt::backend
