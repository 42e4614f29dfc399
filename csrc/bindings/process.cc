#include "bindings/process.h"

#include <malloc.h>

#include "tensor/fault_guard.h"

namespace pt::bindings {

void TuneProcess() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

Status GuardProcess() { return FaultGuard::Install(); }

void TrimProcess() { malloc_trim(0); }

}  // namespace pt::bindings
