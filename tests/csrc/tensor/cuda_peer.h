// CudaPeer: another process with device memory of the fake driver, as a client is one.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tensor/cuda_address.h"
#include "tensor/cuda_devices.h"

namespace pt {

inline CudaOptions FakeCudaOptions(size_t pinned_bytes = size_t{1} << 20) {
  setenv("FAKE_CUDA_DEVICES", "2", 1);  // read once a process
  CudaOptions options;
  options.library = PT_FAKE_CUDA;
  options.pinned_bytes = pinned_bytes;
  return options;
}

// It answers until this object goes.
class CudaPeer {
 public:
  CudaPeer(int device, std::string content) : size_(content.size()) {
    EXPECT_EQ(pipe(asked_.data()), 0);
    EXPECT_EQ(pipe(told_.data()), 0);
    child_ = fork();
    if (child_ == 0) Serve(device, content);
    close(asked_[0]);
    close(told_[1]);
    handle_.resize(CudaIpcHandle::kSize);
    EXPECT_EQ(Receive(handle_.data(), handle_.size()), handle_.size());
  }
  ~CudaPeer() {
    close(asked_[1]);
    close(told_[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_EQ(status, 0);
  }

  const std::string& handle() const { return handle_; }
  std::string content() {
    EXPECT_EQ(write(asked_[1], "?", 1), 1);
    std::string content(size_, '-');
    EXPECT_EQ(Receive(content.data(), size_), size_);
    return content;
  }

 private:
  size_t Receive(char* to, size_t size) {
    size_t done = 0;
    while (done < size) {
      const ssize_t count = read(told_[0], to + done, size - done);
      if (count <= 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  [[noreturn]] void Serve(int device, const std::string& content) {
    close(asked_[1]);
    {
      auto devices = CudaDevices::Open(FakeCudaOptions());
      if (!devices.ok()) _exit(1);
      auto memory = (*devices)->Allocate(device, size_);
      if (!memory.ok()) _exit(2);
      const CudaAddress address = AddressOf((*memory)->data());
      if (!(*devices)->Copy(device, {address, AddressOf(content.data()), size_}).ok()) _exit(3);
      const auto handle = (*devices)->MakeHandle(device, address);
      if (!handle.ok() || write(told_[1], handle->bytes, CudaIpcHandle::kSize) < 0) _exit(4);
      std::string now(size_, '-');
      char question = 0;
      while (read(asked_[0], &question, 1) == 1) {
        if (!(*devices)->Copy(device, {AddressOf(now.data()), address, size_}).ok()) _exit(5);
        if (write(told_[1], now.data(), size_) != static_cast<ssize_t>(size_)) _exit(6);
      }
    }
    _exit(0);
  }

  const size_t size_;
  std::array<int, 2> asked_ = {};
  std::array<int, 2> told_ = {};
  pid_t child_ = 0;
  std::string handle_;
};

}  // namespace pt
