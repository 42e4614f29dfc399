// Tensors of an inference that lie in registered memory: what the `shared_memory_*` parameters of
// one tensor say, and how its bytes are read and written (spec/triton-frontend 1.8).
//
// Thread rule: pure but for the regions, which are thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/service.h"
#include "infer/request.h"
#include "tensor/region.h"

namespace pt::api {

inline constexpr std::string_view kNoClientMemory =
    "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable.";
// What registering CUDA memory answers: this server knows no GPU.
inline constexpr std::string_view kNoCudaMemory =
    "failed to register CUDA shared memory region: GPUs not supported";

// As the client wrote it; `region` borrows from the request.
struct RegionWish {
  bool is_given = false;
  std::string_view region;
  uint64_t offset = 0;
  uint64_t byte_size = 0;
};

// A checked place for one output.
struct RegionTarget {
  RegionRef region;
  uint64_t offset = 0;
  uint64_t byte_size = 0;
};

// The bytes of an input; what is read in place is noted in `request`, so that it can be checked
// afterwards. Errors: Unsupported when clients may not register memory, NotFound, InvalidArgument
// for a range that is not inside the region, Unavailable without memory.
Result<Slice> ReadRegion(const Service& service, const RegionWish& wish, DataType type,
                         BlockPool* pool, InferRequest* request);

// Errors: as ReadRegion.
Result<RegionTarget> FindTarget(const Service& service, const RegionWish& wish);

// Puts the bytes of output `name` in their place. Errors: Internal when they are more than there is
// room for, InvalidArgument when the client has shrunk the region.
Status WriteOutput(const RegionTarget& target, std::string_view name, const Slice& bytes);

}  // namespace pt::api
