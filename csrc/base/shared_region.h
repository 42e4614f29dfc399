// SharedRegion: unnamed memory that other processes can map: one large sparse memfd, of which only
// what is used takes memory. Extents are handed out by size and their pages given back when freed.
//
// Thread rule: thread-safe. Owner rule: shared by the pools and whoever passes the descriptor on;
// pointers into it are valid as long as it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace pt {

class SharedRegion {
 public:
  enum class Access { kRead, kReadWrite };

  // Address space for `size` bytes (or less, when the system refuses that much). What this process
  // may do with its mapping is `access`. Errors: Unavailable.
  static Result<std::shared_ptr<SharedRegion>> Create(const char* name, size_t size, Access access);
  ~SharedRegion();
  SharedRegion(const SharedRegion&) = delete;
  SharedRegion& operator=(const SharedRegion&) = delete;

  int fd() const { return fd_; }
  char* base() const { return base_; }
  size_t size() const { return size_; }
  // Whole pages; null when the address space is used up. The same `size` must be given to Free.
  char* Allocate(size_t size) EXCLUDES(mu_);
  // Gives the pages back to the system.
  void Free(char* data, size_t size) EXCLUDES(mu_);
  // Where `data` lies, when all `size` bytes lie in here.
  std::optional<uint64_t> Locate(const char* data, size_t size) const;
  // All of it, whatever is written there, as another process sees it: offset and size may lie.
  bool Contains(uint64_t offset, uint64_t size) const {
    return offset <= size_ && size <= size_ - offset;
  }

 private:
  SharedRegion(int fd, char* base, size_t size) : fd_(fd), base_(base), size_(size) {}

  const int fd_;
  char* const base_;
  const size_t size_;
  Mutex mu_;
  size_t used_ GUARDED_BY(mu_) = 0;                            // never handed out beyond
  std::map<size_t, std::vector<char*>> free_ GUARDED_BY(mu_);  // by rounded size
};

}  // namespace pt
