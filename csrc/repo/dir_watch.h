// DirWatch: wakes a poller early when a directory changes (inotify). It says only that something
// happened, never what: the poller looks for itself. Without inotify, or when the system's limit of
// watches is reached, polling alone remains.
//
// Thread rule: Watch and Wait from one thread; Wake from any. Owner rule: owned by its poller.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace pt::repo {

class DirWatch {
 public:
  DirWatch();

  // Idempotent. False when the directory can't be watched.
  bool Watch(const std::string& path);
  // Returns at `deadline`, after a change, or after Wake; what came before counts.
  void Wait(TimePoint deadline);
  void Wake();

 private:
  const UniqueFd changes_;  // inotify, or none
  const UniqueFd wakes_;    // eventfd
};

}  // namespace pt::repo
