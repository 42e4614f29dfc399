#include "server/body_buffer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/copy_count.h"

namespace pt::server {
namespace {

constexpr uint64_t kFirstGrowth = 16 << 10;

}  // namespace

Status BodyBuffer::Reserve(uint64_t size) {
  if (size <= capacity_ && block_) return {};
  const uint64_t more = size - std::min(size, claimed_);
  if (!budget_->TryClaim(more)) {
    return Unavailable(
        "expected the request bodies under way to fit into max-inflight-bytes, got " +
        std::to_string(size) + " bytes more than there is room for");
  }
  claimed_ += more;
  BlockRef block = pool_->Allocate(size + shift_);
  if (!block) {
    return Unavailable("expected memory for a request body of " + std::to_string(size) +
                       " bytes, got none");
  }
  if (size_ > 0) std::memcpy(block->data() + shift_, block_->data() + shift_, size_);
  CountCopy(size_);
  block_ = std::move(block);
  capacity_ = size;
  return {};
}

Status BodyBuffer::Append(std::string_view bytes) {
  const uint64_t needed = size_ + bytes.size();
  if (needed > capacity_) {
    PT_RETURN_IF_ERROR(Reserve(std::max({needed, 2 * capacity_, kFirstGrowth})));
  }
  std::memcpy(tail(), bytes.data(), bytes.size());
  CountCopy(bytes.size());
  size_ += bytes.size();
  return {};
}

Slice BodyBuffer::Take(uint64_t* claimed) {
  *claimed = std::exchange(claimed_, 0);
  if (!block_) return {};
  const char* const data = block_->data() + shift_;
  return {std::move(block_), data, size_};
}

}  // namespace pt::server
