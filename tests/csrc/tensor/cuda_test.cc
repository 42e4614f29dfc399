// The CUDA room on a fake driver (tests/fake_cuda): no GPU is needed, and none is used.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tensor/cuda_fixture.h"
#include "tensor/cuda_on_demand.h"
#include "tensor/cuda_region.h"
#include "tensor/regions.h"

namespace pt {
namespace {

TEST(CudaDriver, SaysWhyThereIsNone) {
  const auto absent = CudaDriver::Open("libno-such-driver.so.1");
  ASSERT_EQ(absent.status().code(), Code::kUnavailable);
  EXPECT_NE(absent.status().message().find("libno-such-driver.so.1: cannot open"),
            std::string::npos)
      << absent.status().message();
  const auto other = CudaDriver::Open("libc.so.6");
  ASSERT_EQ(other.status().code(), Code::kUnavailable);
  EXPECT_NE(other.status().message().find("without cu"), std::string::npos);
}

TEST(CudaOnDemand, LooksOnlyOnce) {
  CudaOptions options;
  options.library = "libno-such-driver.so.1";
  CudaOnDemand source(options);
  EXPECT_EQ(source.Get().status().message(), source.Get().status().message());
  CudaOnDemand found(FakeCudaOptions());
  ASSERT_TRUE(found.Get().ok());
  EXPECT_EQ(*found.Get(), *found.Get());
}

TEST_F(Cuda, MovesBytesBetweenHostAndDevices) {
  EXPECT_EQ(devices_->count(), 2);
  const std::string given = "0123456789";
  std::string got(given.size(), '-');
  auto first = devices_->Allocate(0, given.size());
  auto second = devices_->Allocate(1, given.size());
  ASSERT_TRUE(first.ok() && second.ok());
  const CudaAddress a = AddressOf((*first)->data());
  const CudaAddress b = AddressOf((*second)->data());
  const uint64_t between = Count(fake::kDeviceToDevice);
  ASSERT_TRUE(devices_->Copy(0, {a, AddressOf(given.data()), given.size()}).ok());
  ASSERT_TRUE(devices_->Copy(1, {b, a, given.size()}).ok());
  ASSERT_TRUE(devices_->Copy(1, {AddressOf(got.data()), b, got.size()}).ok());
  EXPECT_EQ(got, given);
  EXPECT_EQ(Count(fake::kDeviceToDevice), between + 1);
  EXPECT_EQ(*devices_->DeviceOf(a), 0);
  EXPECT_EQ(*devices_->DeviceOf(b), 1);
  EXPECT_EQ(*devices_->BytesFrom(0, a + 4), given.size() - 4);
}

TEST_F(Cuda, WaitsOnlyWhenItIsTold) {
  const std::string given = "abcd";
  std::string got = "----";
  auto memory = devices_->Allocate(0, 4);
  const CudaAddress address = AddressOf((*memory)->data());
  ASSERT_TRUE(devices_->Copy(0, {address, AddressOf(given.data()), 4}).ok());
  auto copy = devices_->StartCopy(0, {AddressOf(got.data()), address, 4}, {});
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(got, "----");  // the fake copies when somebody waits
  ASSERT_TRUE((*copy)->Wait().ok());
  EXPECT_EQ(got, "abcd");
  ASSERT_TRUE((*copy)->Wait().ok());
}

TEST_F(Cuda, KeepsBothEndsUntilACopyHasEnded) {
  auto memory = devices_->Allocate(0, 4);
  BlockRef target = pool_.Allocate(4);
  char* const bytes = target->data();
  auto copy = devices_->StartCopy(0, {AddressOf(bytes), AddressOf((*memory)->data()), 4}, {target});
  ASSERT_TRUE(copy.ok());
  target.Reset();
  EXPECT_EQ(pool_.live_blocks(), 1u);
  const uint64_t done = Count(fake::kDeviceToHost);
  (*copy).Reset();  // dropped: it waits first
  EXPECT_EQ(Count(fake::kDeviceToHost), done + 1);
  EXPECT_EQ(pool_.live_blocks(), 0u);
}

TEST_F(Cuda, LeavesTheCallersContextAlone) {
  ASSERT_TRUE(devices_->Allocate(1, 16).ok());
  void* current = &current;
  ASSERT_EQ(Symbol<int(void**)>("cuCtxGetCurrent")(&current), 0);
  EXPECT_EQ(current, nullptr);
}

TEST_F(Cuda, TakesNoUnknownDevice) {
  for (const int device : {-1, 2, 1 << 20}) {
    const auto memory = devices_->Allocate(device, 1);
    EXPECT_EQ(memory.status().code(), Code::kInvalidArgument);
    EXPECT_NE(memory.status().message().find("0 to 1"), std::string::npos);
  }
}

TEST_F(Cuda, TellsTheDriversErrors) {
  Fail("cuMemAlloc_v2 2");
  const auto memory = devices_->Allocate(0, 16);
  ASSERT_EQ(memory.status().code(), Code::kInternal);
  EXPECT_EQ(memory.status().message(),
            "expected cuMemAlloc to succeed, got CUDA_ERROR_OUT_OF_MEMORY (2): out of memory");
  Fail("cuStreamCreate 12345");
  EXPECT_NE(devices_->Allocate(1, 16).status().message().find("an unknown error (12345)"),
            std::string::npos);
}

TEST_F(Cuda, HasNoDevicesWhereTheDriverDoesNotStart) {
  Fail("cuInit 100");
  const auto opened = CudaDevices::Open(FakeCudaOptions());
  ASSERT_EQ(opened.status().code(), Code::kUnavailable);
  EXPECT_NE(opened.status().message().find("CUDA_ERROR_NO_DEVICE"), std::string::npos);
}

TEST_F(Cuda, LeavesNothingBehindWhenACopyCannotStart) {
  auto memory = devices_->Allocate(0, 4);
  std::string got = "----";
  for (const char* call : {"cuEventCreate 2", "cuMemcpyAsync 1", "cuEventRecord 400"}) {
    Fail(call);
    EXPECT_EQ(devices_->Copy(0, {AddressOf(got.data()), AddressOf((*memory)->data()), 4}).code(),
              Code::kInternal);
  }
  EXPECT_EQ(Count(fake::kEvents), 0u);
}

TEST_F(Cuda, ReadsAndWritesMemoryOfAnotherProcess) {
  CudaPeer peer(0, "hello, device");
  {
    const auto region = Open(peer, 13);
    ASSERT_TRUE(region);
    EXPECT_EQ(region->kind(), RegionKind::kCuda);
    EXPECT_EQ(region->Snapshot(7, 6, &pool_)->view(), "device");
    auto read = region->Read(0, 5, &pool_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(RegionOf(read->bytes), nullptr);  // host bytes, no client can change them
    ASSERT_TRUE(read->pending->Wait().ok());
    EXPECT_EQ(read->bytes.view(), "hello");
    ASSERT_TRUE(region->Write(0, "HELLO").ok());
    EXPECT_EQ(region->Read(12, 2, &pool_).status().code(), Code::kInvalidArgument);
    EXPECT_EQ(region->Read(13, 0, &pool_).status().message(),
              "Invalid offset for shared memory region: 'r'");
    EXPECT_EQ(region->Write(UINT64_MAX, "x").code(), Code::kInvalidArgument);
    EXPECT_EQ(region->Write(10, "four").code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(peer.content(), "HELLO, device");
  EXPECT_EQ(Count(fake::kOpened), 0u);
}

TEST_F(Cuda, WritesFromDeviceToDeviceWithoutTheHost) {
  CudaPeer peer(0, "abcdefgh");
  const auto region = Open(peer, 8);
  ASSERT_TRUE(region);
  const Slice source = *region->InPlace(0, 4);
  EXPECT_EQ(RegionOf(source), region.get());
  const uint64_t host = Count(fake::kDeviceToHost) + Count(fake::kHostToDevice);
  ASSERT_TRUE(region->Write(4, source.view()).ok());
  EXPECT_EQ(Count(fake::kDeviceToHost) + Count(fake::kHostToDevice), host);
  EXPECT_EQ(peer.content(), "abcdabcd");
}

TEST_F(Cuda, OpensAHandleOnceAndKeepsItWhileItIsUsed) {
  CudaPeer peer(1, "abcd");
  const uint64_t before = Count(fake::kOpenedEver);
  RegionTable table(8, [this] { return devices_; });
  ASSERT_TRUE(table.RegisterCuda(Spec(peer, 4, 1)).ok());
  Slice used = *(*table.Find("r"))->InPlace(0, 4);
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*table.Find("r"))->Snapshot(0, 4, &pool_)->size, 4u);
  EXPECT_EQ(Count(fake::kOpenedEver), before + 1);
  table.Unregister(RegionKind::kSystem, "r");
  EXPECT_TRUE(table.Find("r").ok());
  table.Unregister(RegionKind::kCuda, "r");
  EXPECT_EQ(table.Find("r").status().code(), Code::kNotFound);
  EXPECT_EQ(Count(fake::kOpened), 1u);
  used = {};
  EXPECT_EQ(Count(fake::kOpened), 0u);
}

TEST_F(Cuda, RegistersOnlyWhatIsThere) {
  CudaPeer peer(0, "abcd");
  const auto error = [&](const CudaRegionSpec& spec) {
    const auto region = CudaRegion::Open(spec, devices_);
    EXPECT_EQ(region.status().code(), Code::kInvalidArgument);
    return region.status().message();
  };
  const std::string plain = "failed to register shared memory region 'r': invalid args";
  EXPECT_EQ(error(Spec(peer, 0)), plain);
  EXPECT_EQ(error(Spec(peer, 5)), plain);
  EXPECT_EQ(error(Spec(peer, UINT64_MAX)), plain);
  EXPECT_EQ(error({"r", "short", 0, 4}), plain + ": expected a handle of 64 bytes, got 5");
  EXPECT_EQ(error({"r", std::string(65, 'x'), 0, 4}),
            plain + ": expected a handle of 64 bytes, got 65");
  EXPECT_NE(error({"r", std::string(64, 'x'), 0, 4}).find("cuIpcOpenMemHandle"), std::string::npos);
  for (const int64_t device : {int64_t{-1}, int64_t{2}, INT64_MAX, int64_t{1} << 32}) {
    EXPECT_NE(error(Spec(peer, 4, device)).find("0 to 1"), std::string::npos);
  }
  Fail("cuMemGetAddressRange_v2 1");
  EXPECT_NE(error(Spec(peer, 4)).find("cuMemGetAddressRange"), std::string::npos);
  EXPECT_EQ(Count(fake::kOpened), 0u);
}

TEST_F(Cuda, DoesNotOpenItsOwnMemory) {
  auto memory = devices_->Allocate(0, 4);
  const auto handle = devices_->MakeHandle(0, AddressOf((*memory)->data()));
  ASSERT_TRUE(handle.ok());
  CudaRegionSpec spec{"r", std::string(handle->bytes, CudaIpcHandle::kSize), 0, 4};
  EXPECT_EQ(CudaRegion::Open(spec, devices_).status().code(), Code::kInvalidArgument);
}

TEST_F(Cuda, RegistersNothingWithoutADriver) {
  CudaOptions options;
  options.library = "libno-such-driver.so.1";
  CudaOnDemand source(options);
  RegionTable table(8, [&] { return source.Get(); });
  const Status status = table.RegisterCuda({"r", std::string(64, 'x'), 0, 4});
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_NE(status.message().find("'r', GPUs not supported: expected NVIDIA's driver library, got"),
            std::string::npos)
      << status.message();
  EXPECT_EQ(RegionTable().RegisterCuda({"r", "", 0, 4}).code(), Code::kUnsupported);
}

TEST_F(Cuda, SharesOneNameSpaceWithSystemRegions) {
  CudaPeer peer(0, "abcd");
  RegionTable table(8, [this] { return devices_; });
  ASSERT_TRUE(table.RegisterCuda(Spec(peer, 4)).ok());
  EXPECT_EQ(table.RegisterCuda(Spec(peer, 4)).message(),
            "shared memory region 'r' already in manager");
  ShmRegionSpec other;
  other.name = "r";
  other.key = "none";
  other.byte_size = 1;
  EXPECT_EQ(table.RegisterSystem(other).code(), Code::kAlreadyExists);
  EXPECT_EQ(table.List(RegionKind::kSystem, "r").status().message(),
            "The region named 'r' is registered as CUDA shared memory, not system shared memory");
  ASSERT_TRUE(table.List(RegionKind::kCuda, "r").ok());
  EXPECT_TRUE(table.List(RegionKind::kSystem, "")->empty());
}

TEST_F(Cuda, ServesManyThreads) {
  CudaPeer peer(0, "abcdefgh");
  RegionTable table(64, [this] { return devices_; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      CudaRegionSpec spec = Spec(peer, 8, i % 2);
      spec.name = "r" + std::to_string(i);
      for (int round = 0; round < 50; ++round) {
        EXPECT_TRUE(table.RegisterCuda(spec).ok());
        const Result<RegionRef> region = table.Find(spec.name);
        ASSERT_TRUE(region.ok());
        table.Unregister(RegionKind::kCuda, spec.name);
        const std::string own(2, static_cast<char>('a' + i));
        EXPECT_TRUE((*region)->Write(2 * i, own).ok());
        EXPECT_EQ((*region)->Snapshot(2 * i, 2, &pool_)->view(), own);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(peer.content(), "aabbccdd");
}

TEST_F(Cuda, ReportsWhatKeptBytesFromComing) {
  CudaPeer peer(0, "abcd");
  const auto region = Open(peer, 4);
  ASSERT_TRUE(region);
  auto read = region->Read(0, 4, &pool_);
  ASSERT_TRUE(read.ok());
  Fail("cuEventSynchronize 700");
  EXPECT_NE(read->pending->Wait().message().find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos);
  EXPECT_EQ(region->Snapshot(0, 4, &pool_).status().code(), Code::kInternal);
  EXPECT_EQ(region->Write(0, "x").code(), Code::kInternal);
}

}  // namespace
}  // namespace pt
