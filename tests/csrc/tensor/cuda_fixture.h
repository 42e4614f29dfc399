// Devices of the fake driver (tests/fake_cuda), which must hold nothing after each test.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "../fake_cuda/fake_cuda.h"
#include "tensor/cuda_peer.h"
#include "tensor/cuda_region.h"

namespace pt {

template <typename Function>
Function* Symbol(const char* name) {
  void* const library = dlopen(PT_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

inline uint64_t Count(fake::Counter counter) {
  return Symbol<uint64_t(int)>("fake_cuda_count")(counter);
}

inline void Fail(const std::string& lines) {
  const std::string path = testing::TempDir() + "fake_cuda_errors_" + std::to_string(getpid());
  std::ofstream(path) << lines;
  setenv("FAKE_CUDA_ERRORS", path.c_str(), 1);
}

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("FAKE_CUDA_ERRORS");
    auto opened = CudaDevices::Open(FakeCudaOptions());
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    devices_ = *opened;
  }

  void TearDown() override {
    unsetenv("FAKE_CUDA_ERRORS");
    devices_.reset();
    for (const fake::Counter left : {fake::kAllocations, fake::kOpened, fake::kHostBlocks,
                                     fake::kStreams, fake::kEvents, fake::kContexts}) {
      EXPECT_EQ(Count(left), 0u) << "counter " << left;
    }
    EXPECT_EQ(pool_.live_blocks(), 0u);
  }

  CudaRegionSpec Spec(const CudaPeer& peer, uint64_t byte_size, int64_t device = 0) {
    return {"r", peer.handle(), device, byte_size};
  }
  RefPtr<CudaRegion> Open(const CudaPeer& peer, uint64_t byte_size) {
    auto region = CudaRegion::Open(Spec(peer, byte_size), devices_);
    EXPECT_TRUE(region.ok()) << region.status().ToString();
    return region.ok() ? *region : RefPtr<CudaRegion>();
  }

  std::shared_ptr<CudaDevices> devices_;
  BlockPool pool_;
};

}  // namespace pt
