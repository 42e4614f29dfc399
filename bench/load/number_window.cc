#include "load/number_window.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pt::load {
namespace {
constexpr size_t kBytes = 2 * sizeof(int64_t);
}  // namespace

NumberWindow::~NumberWindow() {
  if (bounds_ != nullptr) munmap(const_cast<int64_t*>(bounds_), kBytes);
}

Status NumberWindow::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return {Code::kNotFound,
            "expected a file of two int64, got '" + path + "': " + std::strerror(errno)};
  }
  struct stat info{};
  void* mapped = MAP_FAILED;
  if (fstat(fd, &info) == 0 && info.st_size == static_cast<off_t>(kBytes)) {
    mapped = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
  }
  close(fd);
  if (mapped == MAP_FAILED) {
    return InvalidArgument("expected a file of two int64, got '" + path + "' of " +
                           std::to_string(info.st_size) + " bytes");
  }
  bounds_ = static_cast<const int64_t*>(mapped);
  return {};
}

}  // namespace pt::load
