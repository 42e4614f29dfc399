// Gather: joins one input of all requests of a batch into one array's bytes, without the
// interpreter lock.
//
// Thread rule: pure but for the pool. Owner rule: a Gathered input keeps its bytes alive.
#pragma once

#include <string_view>
#include <vector>

#include "base/block.h"
#include "bindings/py_tensor.h"
#include "infer/backend.h"
#include "tensor/cuda_devices.h"

namespace pt::bindings {

struct GatheredInput {
  int index = 0;  // into the model's inputs
  Shape shape;    // of the joined tensor
  Slice bytes;    // contiguous; not for BYTES
  std::vector<std::string_view>
      parts;  // BYTES: each request's elements, borrowed from the requests
};

// True when every request brings the same inputs with the same dimensions behind the batch's.
bool IsUniform(const Batch& batch);

// Joins input number `position` of every request along the first dimension. One request's bytes are
// not copied when they are aligned for their type. `keep` is reused when it is large enough.
// REQUIRES: IsUniform. Unavailable when there is no memory.
Result<GatheredInput> GatherInput(const Batch& batch, size_t position, const PyTensorSpec& spec,
                                  BlockRef keep, BlockPool* pool);

// The same for an input that the callable wants in device memory: what one client registered there
// is given in place, everything else is copied to the device. The bytes have arrived on return.
Result<Slice> GatherOnDevice(const Batch& batch, size_t position, int device, CudaDevices* devices);

// One request's input on a device; as GatherOnDevice.
Result<Slice> MoveToDevice(const Slice& bytes, int device, CudaDevices* devices);

}  // namespace pt::bindings
