// FaultGuard: keeps the process alive when a client shrinks a file under our mapping of it.
// Touching such a page raises SIGBUS; the handler puts zero pages there and marks the mapping as
// broken, and whoever uses it answers an error.
//
// A signal handler belongs to the whole process, so only our own entry points install it. Without
// it (a program that embeds the core, or one that replaced the handler later) client memory is
// copied by system calls instead of being touched: slower, as safe.
// Thread rule: thread-safe. Owner rule: a Guarded is owned by the mapping it describes, and must
// end before the mapping does.
#pragma once

#include <cstddef>

#include "base/status.h"

namespace pt {

struct GuardedRange;

class FaultGuard {
 public:
  // Installs the handler, also when somebody has replaced it since; signals that are not about
  // guarded memory go on to the handler that was there first. Errors: Internal with the reason.
  static Status Install();
  // Whether the handler is installed at this moment: nobody else has replaced it. One system call.
  static bool IsActive();
};

// One mapping that may lose its pages.
class Guarded {
 public:
  Guarded(const char* begin, size_t size);
  ~Guarded();
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  // A page was missing when it was touched: what was read since then may be zeros.
  bool is_broken() const;

 private:
  GuardedRange* const range_;
};

}  // namespace pt
