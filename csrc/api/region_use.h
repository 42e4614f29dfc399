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

// Which input is read, and where to.
struct RegionReader {
  std::string_view input;
  DataType type = DataType::kInvalid;
  BlockPool* pool = nullptr;
  InferRequest* request = nullptr;
};

// The bytes of an input: of a CUDA region, its device addresses when the model wants them, else a
// copy on the host that may still be on its way. What is read in place or under way is noted in the
// request, so that it is waited for and checked. Errors: Unsupported when clients may not register
// memory, NotFound, InvalidArgument for a range that is not inside the region, Unavailable without
// memory.
Result<Slice> ReadRegion(const Service& service, const RegionWish& wish,
                         const RegionReader& reader);

// The place for output `index` of a request. Errors: as ReadRegion.
Result<RegionTarget> FindTarget(const Service& service, const RegionWish& wish, int index,
                                InferRequest* request);

// Puts the bytes of output `name` in their place. Errors: Internal when they are more than there is
// room for, InvalidArgument when the client has shrunk the region.
Status WriteOutput(const RegionTarget& target, std::string_view name, const Slice& bytes);

}  // namespace pt::api
