// Resident memory of this process and of the processes it has started, as the kernel counts it.
//
// Thread rule: pure functions of the system.
#pragma once

#include <cstdint>

namespace pt::repo {

// Bytes. Memory that is shared between the processes counts in each. 0 when /proc can't be read.
uint64_t ResidentBytes();

// Asks the allocator to give free memory back to the system.
void GiveMemoryBack();

}  // namespace pt::repo
