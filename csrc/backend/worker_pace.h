// WorkerPace: the least time between two loads of a version while it serves, and from the end of a
// version to the next load of its model. A client that reloads in a loop, or an operator's tool
// that replaces version after version, would otherwise take a core from the requests that are
// served meanwhile. Versions that are added, while none ends, wait for nothing.
//
// Thread rule: thread-safe; Await waits. Owner rule: shared by the backends that it counts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt::backend {

class WorkerPace : public std::enable_shared_from_this<WorkerPace> {
 public:
  struct Key {
    std::string model;
    int64_t version = 0;
  };

  // Counts a loaded version as serving, for as long as it lives.
  class Ticket {
   public:
    Ticket(std::shared_ptr<WorkerPace> pace, Key key);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    const std::shared_ptr<WorkerPace> pace_;
    const Key key_;
  };

  explicit WorkerPace(Duration pause) : pause_(pause) {}

  // Before a load of what `key` names: waits until the pause after its last load, and after the
  // last end of a version of its model, is over. At once when the model doesn't serve.
  void Await(const Key& key) EXCLUDES(mu_);

 private:
  struct Version {
    int serving = 0;
    TimePoint loaded;  // the last of them
  };
  struct Model {
    std::map<int64_t, Version> versions;  // those that serve
    std::optional<TimePoint> ended;       // the last version that serves no more
  };

  const Duration pause_;
  Mutex mu_;
  CondVar changed_;                                      // a model has gone
  std::map<std::string, Model> models_ GUARDED_BY(mu_);  // those that serve
};

}  // namespace pt::backend
