// NumberWindow: which numbers answers may carry at this moment. What changes the server (reloads,
// version flips) keeps the window in a file of two int64 in the machine's order, the lowest and the
// highest number, and moves it while the load runs: the highest before a change begins, the lowest
// when it has surely ended.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace pt::load {

class NumberWindow {
 public:
  NumberWindow() = default;
  ~NumberWindow();
  NumberWindow(const NumberWindow&) = delete;
  NumberWindow& operator=(const NumberWindow&) = delete;

  // Maps the file. Errors: NotFound or InvalidArgument with what was expected of it.
  Status Open(const std::string& path);
  bool is_open() const { return bounds_ != nullptr; }
  // REQUIRES: is_open().
  int64_t lowest() const { return __atomic_load_n(&bounds_[0], __ATOMIC_ACQUIRE); }
  int64_t highest() const { return __atomic_load_n(&bounds_[1], __ATOMIC_ACQUIRE); }

 private:
  const int64_t* bounds_ = nullptr;
};

}  // namespace pt::load
