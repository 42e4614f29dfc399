// Snapshot<T>: publishes a whole immutable value; readers get the newest one and keep it as long as
// they like. A mutex around a pointer copy: std::atomic<shared_ptr> of g++ 12 has a race of its
// own.
//
// Thread rule: thread-safe.
#pragma once

#include <memory>
#include <utility>

#include "base/mutex.h"

namespace pt {

template <typename T>
class Snapshot {
 public:
  Snapshot() : value_(std::make_shared<const T>()) {}
  explicit Snapshot(T value) : value_(std::make_shared<const T>(std::move(value))) {}

  std::shared_ptr<const T> Get() const EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    return value_;
  }

  void Publish(T value) EXCLUDES(mu_) {
    auto next = std::make_shared<const T>(std::move(value));
    MutexLock lock(&mu_);
    value_.swap(next);
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<const T> value_ GUARDED_BY(mu_);
};

}  // namespace pt
