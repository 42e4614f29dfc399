// WorkerPace: the least time between two loads of a version while it serves. A client that reloads
// in a loop would otherwise take a core from the requests that are served meanwhile.
//
// Thread rule: thread-safe; Await waits. Owner rule: shared by the backends that it counts.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"

namespace pt::backend {

class WorkerPace : public std::enable_shared_from_this<WorkerPace> {
 public:
  // Counts a loaded version as serving, for as long as it lives.
  class Ticket {
   public:
    Ticket(std::shared_ptr<WorkerPace> pace, std::string key);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    const std::shared_ptr<WorkerPace> pace_;
    const std::string key_;
  };

  explicit WorkerPace(Duration pause) : pause_(pause) {}

  // Before a load of the version that `key` names: waits until the pause after the last one is
  // over. At once when none serves.
  void Await(const std::string& key) EXCLUDES(mu_);

 private:
  struct Version {
    int serving = 0;
    TimePoint loaded;  // the last of them
  };

  const Duration pause_;
  Mutex mu_;
  CondVar changed_;                                          // a version has gone
  std::map<std::string, Version> versions_ GUARDED_BY(mu_);  // those that serve
};

}  // namespace pt::backend
