#include "base/block.h"

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/copy_count.h"
#include "base/mutex.h"
#include "base/pages.h"
#include "base/shared_region.h"

namespace pt {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallestClass = 256;
// Four classes an octave: at most 19 % of a block is not asked for.
constexpr int kClassesPerOctave = 4;
constexpr int kClassCount = 38 * kClassesPerOctave;

char* AllocateAligned(size_t capacity) {
  const size_t alignment = capacity >= kHugePage ? kHugePage : kAlignment;
  const size_t rounded = (capacity + alignment - 1) / alignment * alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  if (data != nullptr && capacity >= kHugePage) madvise(data, rounded, MADV_HUGEPAGE);
  return static_cast<char*>(data);
}

// The smallest class that holds `size`, and its capacity.
int ClassOf(size_t size, size_t* capacity) {
  if (size < kSmallestClass) size = kSmallestClass;
  const int octave = std::bit_width(size - 1) - 1;  // 2^octave < size <= 2^(octave + 1)
  const size_t base = size_t{1} << octave;
  const size_t step = base / kClassesPerOctave;
  const size_t steps = (size - base + step - 1) / step;
  *capacity = base + steps * step;
  return (octave - 7) * kClassesPerOctave + static_cast<int>(steps) - 1;
}

class HeapBlock final : public Block {
 public:
  HeapBlock(char* data, size_t capacity) : Block(data, capacity) {}
  ~HeapBlock() override { std::free(data_); }
};

class StringBlock final : public Block {
 public:
  explicit StringBlock(std::string bytes) : Block(nullptr, 0), bytes_(std::move(bytes)) {
    data_ = bytes_.data();
    capacity_ = bytes_.size();
  }

 private:
  std::string bytes_;
};

}  // namespace

class PoolBlock;

struct BlockPool::Shared {
  explicit Shared(std::shared_ptr<SharedRegion> r) : region(std::move(r)) {}
  // Where a block of `capacity` lies; null: on the heap.
  SharedRegion* RegionFor(size_t capacity) const {
    return capacity >= kSharedBytes ? region.get() : nullptr;
  }

  const std::shared_ptr<SharedRegion> region;
  mutable Mutex mu;
  std::array<std::vector<PoolBlock*>, kClassCount> free GUARDED_BY(mu);
  size_t kept GUARDED_BY(mu) = 0;
  size_t live GUARDED_BY(mu) = 0;
  size_t keep_limit GUARDED_BY(mu) = 0;
};

class PoolBlock final : public Block {
 public:
  // `region`: where `data` was allocated; null: on the heap.
  PoolBlock(char* data, size_t capacity, int size_class, std::shared_ptr<SharedRegion> region)
      : Block(data, capacity), size_class_(size_class), region_(std::move(region)) {}
  ~PoolBlock() override {
    if (region_) {
      region_->Free(data_, capacity_);
    } else {
      std::free(data_);
    }
  }

  void Lend(std::shared_ptr<BlockPool::Shared> home) { home_ = std::move(home); }

 protected:
  void Dispose() override {
    const std::shared_ptr<BlockPool::Shared> home = std::move(home_);
    {
      MutexLock lock(&home->mu);
      --home->live;
      if (home->kept + capacity_ <= home->keep_limit) {
        home->kept += capacity_;
        ResetCount();
        home->free[size_class_].push_back(this);
        return;
      }
    }
    delete this;
  }

 private:
  const int size_class_;
  const std::shared_ptr<SharedRegion> region_;
  std::shared_ptr<BlockPool::Shared> home_;  // only while lent
};

Slice Slice::OfString(std::string bytes) {
  auto block = MakeRef<StringBlock>(std::move(bytes));
  const char* data = block->data();
  const size_t size = block->capacity();
  return {std::move(block), data, size};
}

Slice Slice::Copy(std::string_view bytes) {
  BlockRef block = NewBlock(bytes.size());
  if (!bytes.empty()) std::memcpy(block->data(), bytes.data(), bytes.size());
  CountCopy(bytes.size());
  const char* data = block->data();
  return {std::move(block), data, bytes.size()};
}

size_t TotalSize(const SliceList& slices) {
  size_t total = 0;
  for (const Slice& slice : slices) total += slice.size;
  return total;
}

std::string Flatten(const SliceList& slices) {
  std::string out;
  out.reserve(TotalSize(slices));
  for (const Slice& slice : slices) out.append(slice.view());
  return out;
}

BlockRef NewBlock(size_t capacity) {
  char* data = AllocateAligned(capacity == 0 ? 1 : capacity);
  if (data == nullptr) return nullptr;
  return BlockRef(new HeapBlock(data, capacity));
}

BlockPool::BlockPool(size_t keep_bytes, std::shared_ptr<SharedRegion> region)
    : shared_(std::make_shared<Shared>(std::move(region))) {
  MutexLock lock(&shared_->mu);
  shared_->keep_limit = keep_bytes;
}

BlockPool::~BlockPool() {
  {
    MutexLock lock(&shared_->mu);
    shared_->keep_limit = 0;
  }
  Trim();
}

BlockRef BlockPool::Allocate(size_t size) {
  if (size >= (size_t{1} << 44)) return nullptr;
  size_t capacity = 0;
  const int size_class = ClassOf(size, &capacity);
  PoolBlock* block = nullptr;
  {
    MutexLock lock(&shared_->mu);
    ++shared_->live;
    auto& free = shared_->free[size_class];
    if (!free.empty()) {
      block = free.back();
      free.pop_back();
      shared_->kept -= capacity;
    }
  }
  if (block == nullptr) {
    SharedRegion* const region = shared_->RegionFor(capacity);
    char* data = region != nullptr ? region->Allocate(capacity) : AllocateAligned(capacity);
    if (data == nullptr) {
      MutexLock lock(&shared_->mu);
      --shared_->live;
      return nullptr;
    }
    block =
        new PoolBlock(data, capacity, size_class, region != nullptr ? shared_->region : nullptr);
  }
  block->Lend(shared_);
  return BlockRef(block);
}

const std::shared_ptr<SharedRegion>& BlockPool::region() const { return shared_->region; }

size_t BlockPool::live_blocks() const {
  MutexLock lock(&shared_->mu);
  return shared_->live;
}

size_t BlockPool::kept_bytes() const {
  MutexLock lock(&shared_->mu);
  return shared_->kept;
}

void BlockPool::Trim() {
  std::vector<PoolBlock*> dropped;
  {
    MutexLock lock(&shared_->mu);
    for (auto& free : shared_->free) {
      dropped.insert(dropped.end(), free.begin(), free.end());
      free.clear();
    }
    shared_->kept = 0;
  }
  for (PoolBlock* block : dropped) delete block;
}

}  // namespace pt
