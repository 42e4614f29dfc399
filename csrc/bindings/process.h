// TuneProcess: settings of the whole process that make serving faster. Only our own entry points
// (Triton.serve and run, the command line) call it, never an import and never a host program.
//
// Thread rule: any thread; idempotent.
#pragma once

namespace pt::bindings {

// Memory that was freed stays with the process instead of going back to the system after each large
// tensor: a 1 MB result otherwise costs its page faults at every call.
void TuneProcess();
// Gives freed memory back to the system; for a server that has become idle.
void TrimProcess();

}  // namespace pt::bindings
