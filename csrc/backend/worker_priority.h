// WorkerPriority: how a worker's threads stand beside those that serve requests. Loads and unloads
// of models should cost requests as little as possible, so a worker is worth less to the scheduler
// until it serves, and again when it ends.
//
// Children of a process have its priority for good. So what may run a model's own code is never
// worth less than kPatient, which costs nothing but time slices.
// Thread rule: free functions, any thread. Owner rule: none.
#pragma once

#include <sys/types.h>

namespace pt::backend {

enum class WorkerPriority {
  kBackground,  // runs on what others leave; kPatient where that couldn't be undone later
  kPatient,     // its share, but whoever wakes up goes first
  kNormal,
};

// Sets it for the process's threads: those that are at a lower one have kNormal afterwards, those
// that chose something of their own keep it. Does nothing where this process itself isn't an
// ordinary one, and for processes that are gone.
void SetPriority(pid_t process, WorkerPriority priority);

}  // namespace pt::backend
