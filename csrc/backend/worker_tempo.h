// WorkerTempo: what batches of a model took lately, whichever worker ran them. A new worker of the
// model, of another generation or version or in a dead one's place, is expected to be like those
// before it, until it has shown how it is: one that was expected to be slow would get a request at
// a time at first, and all clients of the model would wait for that.
//
// Thread rule: thread-safe; workers that note at once only blur what is known. Owner rule: shared
// by the workers of a model; when the last has gone nothing is known any more.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt::backend {

class WorkerTempo {
 public:
  // What a worker is expected to take that is the first of its model.
  static constexpr Duration kUnknown = std::chrono::milliseconds(1);
  // What one is expected to take for a batch at least: it may be slower than those before it, and
  // what lies before it can't go to another.
  static constexpr Duration kLeast = std::chrono::microseconds(50);

  void Note(Duration batch, Duration request) {
    batch_ns_.store(batch.count(), std::memory_order_relaxed);
    request_ns_.store(request.count(), std::memory_order_relaxed);
  }
  // What a new worker is expected to take, for a batch and for each request of it.
  Duration batch() const {
    return std::max(Duration(batch_ns_.load(std::memory_order_relaxed)), kLeast);
  }
  Duration request() const { return Duration(request_ns_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<int64_t> batch_ns_{Duration(kUnknown).count()};
  std::atomic<int64_t> request_ns_{Duration(kUnknown).count()};
};

// The tempos of a server's models, by name.
class WorkerTempos {
 public:
  std::shared_ptr<WorkerTempo> Of(const std::string& model) EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    std::erase_if(tempos_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<WorkerTempo>& known = tempos_[model];
    std::shared_ptr<WorkerTempo> tempo = known.lock();
    if (!tempo) known = tempo = std::make_shared<WorkerTempo>();
    return tempo;
  }

 private:
  Mutex mu_;
  std::map<std::string, std::weak_ptr<WorkerTempo>> tempos_ GUARDED_BY(mu_);
};

}  // namespace pt::backend
