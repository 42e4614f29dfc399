#include "base/shared_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/pages.h"

namespace pt {
namespace {

constexpr size_t kSmallest = size_t{1} << 30;

size_t RoundUp(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

size_t UnitOf(size_t size) { return size >= kHugePage ? kHugePage : kPage; }

}  // namespace

Result<std::shared_ptr<SharedRegion>> SharedRegion::Create(const char* name, size_t size,
                                                           Access access) {
  const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const int protection = access == Access::kRead ? PROT_READ : PROT_READ | PROT_WRITE;
  for (; fd >= 0 && size >= kSmallest; size /= 2) {
    if (ftruncate(fd, static_cast<off_t>(size)) != 0) continue;
    void* base = mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) continue;
    // Whoever gets the descriptor can't take pages away under our feet.
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
      madvise(base, size, MADV_DONTDUMP);
      return std::shared_ptr<SharedRegion>(new SharedRegion(fd, static_cast<char*>(base), size));
    }
    munmap(base, size);
    break;
  }
  const std::string reason = std::strerror(errno);
  if (fd >= 0) close(fd);
  return Unavailable("expected unnamed shared memory for worker processes, got: " + reason);
}

SharedRegion::~SharedRegion() {
  munmap(base_, size_);
  close(fd_);
}

char* SharedRegion::Allocate(size_t size) {
  const size_t unit = UnitOf(size);
  const size_t rounded = RoundUp(size, unit);
  if (rounded < size) return nullptr;
  MutexLock lock(&mu_);
  const auto it = free_.find(rounded);
  if (it != free_.end() && !it->second.empty()) {
    char* data = it->second.back();
    it->second.pop_back();
    return data;
  }
  const size_t begin = RoundUp(used_, unit);
  if (begin > size_ || rounded > size_ - begin) return nullptr;
  used_ = begin + rounded;
  return base_ + begin;
}

void SharedRegion::Free(char* data, size_t size) {
  const size_t rounded = RoundUp(size, UnitOf(size));
  madvise(data, rounded, MADV_REMOVE);
  MutexLock lock(&mu_);
  free_[rounded].push_back(data);
}

std::optional<uint64_t> SharedRegion::Locate(const char* data, size_t size) const {
  if (data < base_ || data >= base_ + size_) return std::nullopt;
  const auto offset = static_cast<uint64_t>(data - base_);
  if (!Contains(offset, size)) return std::nullopt;
  return offset;
}

}  // namespace pt
