// Settings of the whole process. Only our own entry points (Triton.serve, the command line) make
// them, never an import and never a host program.
//
// Thread rule: any thread; idempotent.
#pragma once

#include "base/status.h"

namespace pt::bindings {

// Memory that was freed stays with the process instead of going back to the system after each large
// tensor: a 1 MB result otherwise costs its page faults at every call.
void TuneProcess();
// Gives freed memory back to the system; for a server that has become idle.
void TrimProcess();

// Lets callables read client memory in place: a client that takes it away meanwhile then breaks its
// own request, not the process (tensor/fault_guard.h).
Status GuardProcess();

}  // namespace pt::bindings
