#include "tensor/region.h"

namespace pt {

Status Region::CheckRange(uint64_t offset, uint64_t size) const {
  if (offset >= byte_size()) {
    return InvalidArgument("Invalid offset for shared memory region: '" + name_ + "'");
  }
  if (size > byte_size() - offset) {
    return InvalidArgument("Invalid offset + byte size for shared memory region: '" + name_ + "'");
  }
  return {};
}

Result<Slice> Region::InPlace(uint64_t offset, uint64_t size) {
  PT_RETURN_IF_ERROR(CheckRange(offset, size));
  return Slice(BlockRef(this), data() + offset, size);
}

}  // namespace pt
