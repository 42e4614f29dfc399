// UniqueFd: the one owner of a file descriptor, which it closes.
//
// Thread rule: a value, as a unique_ptr is. Owner rule: whoever asks get() borrows.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace pt {

class UniqueFd {
 public:
  // -1, what a failed system call returns, is none.
  explicit UniqueFd(int fd = -1) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // The caller owns it from now on.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  // errno stays as it was: what failed before is still to be told.
  void Reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old < 0) return;
    const int error = errno;
    close(old);
    errno = error;
  }

 private:
  int fd_;
};

}  // namespace pt
