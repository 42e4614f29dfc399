// The pools of page-locked memory and of devices' memory, on the fake driver.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "tensor/cuda_fixture.h"

namespace pt {
namespace {

using CudaPools = Cuda;

TEST_F(CudaPools, StagesInPinnedMemoryWhileThereIsSome) {
  ASSERT_TRUE(devices_->Allocate(0, 1).ok());  // a device is in use
  BlockRef most = devices_->AllocatePinned(900 << 10, &pool_);
  EXPECT_EQ(pool_.live_blocks(), 0u);
  EXPECT_EQ(Count(fake::kHostBlocks), 1u);
  BlockRef more = devices_->AllocatePinned(200 << 10, &pool_);  // no room: elsewhere
  EXPECT_EQ(pool_.live_blocks(), 1u);
  most.Reset();
  more = devices_->AllocatePinned(900 << 10, &pool_);
  EXPECT_EQ(pool_.live_blocks(), 0u);
}

TEST_F(CudaPools, StagesElsewhereWithoutPinnedMemory) {
  ASSERT_TRUE(devices_->Allocate(0, 1).ok());
  Fail("cuMemHostAlloc 2");
  const BlockRef block = devices_->AllocatePinned(100, &pool_);
  ASSERT_TRUE(block);
  EXPECT_EQ(pool_.live_blocks(), 1u);
}

std::shared_ptr<CudaDevices> OpenWithPools(size_t bytes, std::map<int, size_t> bytes_of = {}) {
  CudaOptions options = FakeCudaOptions();
  options.device_bytes = bytes;
  options.device_bytes_of = std::move(bytes_of);
  return *CudaDevices::Open(options);
}

TEST_F(CudaPools, AllocatesFromADevicesPoolAndElsewhereWhenItIsFull) {
  const auto devices = OpenWithPools(1 << 20, {{1, 0}});
  const uint64_t before = Count(fake::kAllocations);
  BlockRef most = *devices->Allocate(0, 900 << 10);
  BlockRef some = *devices->Allocate(0, 100 << 10);
  EXPECT_EQ(Count(fake::kAllocations), before + 1);  // the pool
  const BlockRef more = *devices->Allocate(0, 200 << 10);
  EXPECT_EQ(Count(fake::kAllocations), before + 2);
  most.Reset();
  const BlockRef again = *devices->Allocate(0, 800 << 10);
  EXPECT_EQ(Count(fake::kAllocations), before + 2);
  const BlockRef other = *devices->Allocate(1, 1);  // that one has no pool
  EXPECT_EQ(Count(fake::kAllocations), before + 3);
  EXPECT_EQ(*devices->DeviceOf(AddressOf(again->data())), 0);
  const DevicePoolCounters counters = devices->pool_counters();
  EXPECT_EQ(counters.total_bytes, uint64_t{1} << 20);
  EXPECT_EQ(counters.used_bytes, uint64_t{900} << 10);
  EXPECT_EQ(counters.taken, 3U);
  EXPECT_EQ(counters.refused, 1U);
}

TEST_F(CudaPools, WorkOnAnyStreamEndsBeforeItsMemoryIsUsedAgain) {
  const auto devices = OpenWithPools(1 << 12);
  const std::string given = "abcd";
  std::string got = "----";
  BlockRef memory = *devices->Allocate(0, 1 << 12);
  const CudaAddress address = AddressOf(memory->data());
  ASSERT_TRUE(devices->Copy(0, {address, AddressOf(given.data()), 4}).ok());
  // Somebody else's work, of which only the device knows.
  CudaContext context = nullptr;
  CudaStream stream = nullptr;
  ASSERT_EQ(Symbol<int(CudaContext*, int)>("cuDevicePrimaryCtxRetain")(&context, 0), 0);
  ASSERT_EQ(Symbol<int(CudaContext)>("cuCtxPushCurrent_v2")(context), 0);
  ASSERT_EQ(Symbol<int(CudaStream*, unsigned)>("cuStreamCreate")(&stream, 1), 0);
  const auto copy = Symbol<int(CudaAddress, CudaAddress, size_t, CudaStream)>("cuMemcpyAsync");
  ASSERT_EQ(copy(AddressOf(got.data()), address, 4, stream), 0);
  memory.Reset();
  EXPECT_EQ(got, "----");
  memory = *devices->Allocate(0, 1);
  EXPECT_EQ(AddressOf(memory->data()), address);
  EXPECT_EQ(got, "abcd");
  EXPECT_EQ(devices->pool_counters().waits, 1U);
  ASSERT_EQ(Symbol<int(CudaStream)>("cuStreamDestroy_v2")(stream), 0);
  ASSERT_EQ(Symbol<int(CudaContext*)>("cuCtxPopCurrent_v2")(&context), 0);
  ASSERT_EQ(Symbol<int(int)>("cuDevicePrimaryCtxRelease_v2")(0), 0);
}

TEST_F(CudaPools, AllocatesWithoutAPoolThatCouldNotBeMade) {
  const auto devices = OpenWithPools(1 << 20);
  Fail("cuMemAlloc_v2 2");
  EXPECT_FALSE(devices->Allocate(0, 16).ok());
  Fail("");
  EXPECT_TRUE(devices->Allocate(0, 16).ok());
  EXPECT_EQ(devices->pool_counters().total_bytes, 0U);
}

}  // namespace
}  // namespace pt
