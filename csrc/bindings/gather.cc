#include "bindings/gather.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/copy_count.h"
#include "tensor/cuda_region.h"

namespace pt::bindings {
namespace {

bool HaveEqualTails(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank()) return false;
  for (int axis = 1; axis < a.rank(); ++axis) {
    if (a[axis] != b[axis]) return false;
  }
  return true;
}

bool IsAligned(const Slice& bytes, const PyTensorSpec& spec) {
  const size_t alignment = std::max<size_t>(DataTypeSize(spec.type), 1);
  return reinterpret_cast<uintptr_t>(bytes.data) % alignment == 0 && bytes.owner;
}

void CopyInput(const Batch& batch, size_t position, const PyTensorSpec& spec, char* to) {
  for (const RequestPtr& request : batch.requests) {
    const Slice& data = request->inputs[position].tensor.data;
    if (spec.is_widened) {
      const int64_t count = static_cast<int64_t>(data.size / sizeof(uint16_t));
      WidenBf16(data.data, reinterpret_cast<float*>(to), count);
      to += count * sizeof(float);
    } else if (data.size != 0) {
      std::memcpy(to, data.data, data.size);
      CountCopy(data.size);
      to += data.size;
    }
  }
}

// Whether the bytes lie on that device already, where elements may begin.
bool IsInPlace(const Slice& bytes, int device) {
  constexpr uintptr_t kElement = 8;  // the widest
  const Region* const region = RegionOf(bytes);
  if (region == nullptr || region->kind() != RegionKind::kCuda) return false;
  const bool is_aligned = reinterpret_cast<uintptr_t>(bytes.data) % kElement == 0;
  return is_aligned && static_cast<const CudaRegion*>(region)->device() == device;
}

// Joins them in one block of the device.
Result<Slice> JoinOnDevice(const std::vector<const Slice*>& parts, int device,
                           CudaDevices* devices) {
  size_t size = 0;
  for (const Slice* part : parts) size += part->size;
  PT_ASSIGN_OR_RETURN(BlockRef block, devices->Allocate(device, size));
  char* to = block->data();
  RefPtr<PendingCopy> last;
  for (const Slice* part : parts) {
    const CudaTransfer transfer{reinterpret_cast<uintptr_t>(to),
                                reinterpret_cast<uintptr_t>(part->data), part->size};
    // The copy before this one is dropped, which waits for it, when this one is queued.
    PT_ASSIGN_OR_RETURN(RefPtr<PendingCopy> copy,
                        devices->StartCopy(device, transfer, {part->owner, block}));
    last.Swap(copy);
    to += part->size;
  }
  if (last) PT_RETURN_IF_ERROR(last->Wait());
  const char* const bytes = block->data();
  return Slice(std::move(block), bytes, size);
}

}  // namespace

bool IsUniform(const Batch& batch) {
  const InferRequest& first = *batch.requests.front();
  for (const RequestPtr& request : batch.requests) {
    if (request->inputs.size() != first.inputs.size()) return false;
    for (size_t i = 0; i < first.inputs.size(); ++i) {
      const InputTensor& a = first.inputs[i];
      const InputTensor& b = request->inputs[i];
      if (a.index != b.index || !HaveEqualTails(a.tensor.shape, b.tensor.shape)) return false;
    }
  }
  return true;
}

Result<GatheredInput> GatherInput(const Batch& batch, size_t position, const PyTensorSpec& spec,
                                  BlockRef keep, BlockPool* pool) {
  const InputTensor& first = batch.requests.front()->inputs[position];
  GatheredInput input;
  input.index = first.index;
  input.shape = first.tensor.shape;
  if (batch.requests.size() > 1) input.shape.set(0, batch.size);
  if (spec.type == DataType::kBytes) {
    for (const RequestPtr& request : batch.requests) {
      input.parts.push_back(request->inputs[position].tensor.data.view());
    }
    return input;
  }
  if (batch.requests.size() == 1 && !spec.is_widened && IsAligned(first.tensor.data, spec)) {
    input.bytes = first.tensor.data;
    return input;
  }
  size_t size = 0;
  for (const RequestPtr& request : batch.requests) {
    size += request->inputs[position].tensor.data.size;
  }
  if (spec.is_widened) size *= 2;
  if (!keep || keep->capacity() < size) keep = pool->Allocate(std::max<size_t>(size, 1));
  if (!keep) return Unavailable("no memory for a batch of " + std::to_string(size) + " bytes");
  CopyInput(batch, position, spec, keep->data());
  input.bytes = Slice(keep, keep->data(), size);
  return input;
}

Result<Slice> GatherOnDevice(const Batch& batch, size_t position, int device,
                             CudaDevices* devices) {
  std::vector<const Slice*> parts;
  for (const RequestPtr& request : batch.requests) {
    parts.push_back(&request->inputs[position].tensor.data);
  }
  if (parts.size() == 1 && IsInPlace(*parts.front(), device)) return *parts.front();
  return JoinOnDevice(parts, device, devices);
}

Result<Slice> MoveToDevice(const Slice& bytes, int device, CudaDevices* devices) {
  if (IsInPlace(bytes, device)) return bytes;
  return JoinOnDevice({&bytes}, device, devices);
}

}  // namespace pt::bindings
