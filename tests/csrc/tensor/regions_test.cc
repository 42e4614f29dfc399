#include "tensor/regions.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace pt {
namespace {

// An object in /dev/shm, as a client makes one.
class Object {
 public:
  explicit Object(size_t size)
      : key_("/pytriton_test_" + std::to_string(getpid()) + "_" +
             std::to_string(reinterpret_cast<uintptr_t>(this))) {
    descriptor_ = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT_GE(descriptor_, 0);
    Resize(size);
  }
  ~Object() {
    close(descriptor_);
    shm_unlink(key_.c_str());
  }
  void Resize(size_t size) { EXPECT_EQ(ftruncate(descriptor_, static_cast<off_t>(size)), 0); }
  void Put(size_t offset, std::string_view bytes) {
    EXPECT_EQ(pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string Get(size_t offset, size_t size) {
    std::string bytes(size, '?');
    EXPECT_EQ(pread(descriptor_, bytes.data(), size, static_cast<off_t>(offset)),
              static_cast<ssize_t>(size));
    return bytes;
  }
  const std::string& key() const { return key_; }

 private:
  const std::string key_;
  int descriptor_ = -1;
};

ShmRegionSpec Spec(std::string name, std::string key, uint64_t offset, uint64_t byte_size) {
  ShmRegionSpec spec;
  spec.name = std::move(name);
  spec.key = std::move(key);
  spec.offset = offset;
  spec.byte_size = byte_size;
  return spec;
}

class Regions : public testing::Test {
 protected:
  // The handler is of the whole process: here it comes and goes with a test.
  void Guard() { ASSERT_TRUE(FaultGuard::Install().ok()); }
  RegionRef Register(const Object& object, uint64_t offset, uint64_t byte_size) {
    const Status status = table_.RegisterSystem(Spec("r", object.key(), offset, byte_size));
    EXPECT_TRUE(status.ok()) << status.ToString();
    Result<RegionRef> region = table_.Find("r");
    return region.ok() ? *region : RegionRef();
  }

  RegionTable table_{8};
  BlockPool pool_;
};

TEST_F(Regions, TakeOnlyNamesAsKeys) {
  const std::string long_key(300, 'k');
  for (const std::string& key :
       {std::string(), std::string("/"), std::string("//x"), std::string("/a/b"), std::string(".."),
        std::string("/.."), std::string("/../etc/passwd"), std::string("../etc/passwd"),
        std::string("."), std::string("a\0b", 3), long_key}) {
    const Status status = table_.RegisterSystem(Spec("r", key, 0, 16));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << key;
    EXPECT_NE(status.message().find("invalid shm key"), std::string::npos) << status.ToString();
  }
  EXPECT_EQ(
      table_.RegisterSystem(Spec("r", "/triton_python_backend_shm_region_1", 0, 16)).message(),
      "cannot register shared memory region 'r' with key '/triton_python_backend_shm_region_1' as "
      "the key contains the reserved prefix 'triton_python_backend_shm_region_'");
  EXPECT_EQ(table_.RegisterSystem(Spec("r", "/no_such_object", 0, 16)).message(),
            "Unable to open shared memory region: '/no_such_object'");
}

TEST_F(Regions, FollowNoLinks) {
  const std::string name = "pytriton_test_link_" + std::to_string(getpid());
  const std::string path = "/dev/shm/" + name;
  ASSERT_EQ(symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_EQ(table_.RegisterSystem(Spec("r", name, 0, 1)).code(), Code::kInternal);
  unlink(path.c_str());
}

TEST_F(Regions, CheckSizesAgainstOverflow) {
  Object object(8192);
  const uint64_t most = UINT64_MAX;
  const struct {
    uint64_t offset;
    uint64_t byte_size;
  } kRows[] = {{0, 0},    {0, 8193}, {1, 8192},    {8192, 1},
               {most, 1}, {1, most}, {most, most}, {most - 8191, 8192}};
  for (const auto& row : kRows) {
    const Status status = table_.RegisterSystem(Spec("r", object.key(), row.offset, row.byte_size));
    EXPECT_EQ(status.message(), "failed to register shared memory region 'r': invalid args");
  }
  const RegionRef region = Register(object, 4, 4096);
  ASSERT_TRUE(region);
  EXPECT_TRUE(region->CheckRange(0, 4096).ok());
  EXPECT_TRUE(region->CheckRange(4095, 1).ok());
  EXPECT_EQ(region->CheckRange(4096, 0).message(), "Invalid offset for shared memory region: 'r'");
  EXPECT_EQ(region->CheckRange(most, 1).message(), "Invalid offset for shared memory region: 'r'");
  EXPECT_EQ(region->CheckRange(1, 4096).message(),
            "Invalid offset + byte size for shared memory region: 'r'");
  EXPECT_EQ(region->CheckRange(1, most).message(),
            "Invalid offset + byte size for shared memory region: 'r'");
}

TEST_F(Regions, BeginAtAnyByteOfTheObject) {
  Object object(3 * 4096);
  object.Put(4100, "hello");
  const RegionRef region = Register(object, 4099, 64);
  ASSERT_TRUE(region);
  for (const bool is_guarded : {false, true}) {
    if (is_guarded) Guard();
    const Result<RegionBytes> slice = region->Read(1, 5, &pool_);
    ASSERT_TRUE(slice.ok()) << slice.status().ToString();
    EXPECT_EQ(slice->bytes.view(), "hello");
    EXPECT_TRUE(region->Write(8, "there").ok());
    EXPECT_EQ(object.Get(4107, 5), "there");
    signal(SIGBUS, SIG_DFL);
  }
}

TEST_F(Regions, AreReadInPlaceOnlyUnderTheGuard) {
  Object object(4096);
  const RegionRef region = Register(object, 0, 4096);
  ASSERT_TRUE(region);
  signal(SIGBUS, SIG_DFL);
  EXPECT_NE(region->Read(0, 16, &pool_)->bytes.data, region->data());
}

TEST_F(Regions, StayMappedUntilTheLastUseEnds) {
  Object object(4096);
  object.Put(0, "bytes");
  RegionRef region = Register(object, 0, 4096);
  ASSERT_TRUE(region);
  Slice use(region, region->data(), 5);
  table_.Unregister(RegionKind::kSystem, "r");
  region.Reset();
  EXPECT_EQ(table_.Find("r").status().message(), "Unable to find shared memory region: 'r'");
  EXPECT_EQ(use.view(), "bytes");
  EXPECT_TRUE(use.owner->is_unique());
}

TEST_F(Regions, HaveOneNameSpace) {
  Object object(4096);
  ASSERT_TRUE(Register(object, 0, 4096));
  EXPECT_EQ(table_.RegisterSystem(Spec("r", object.key(), 0, 1)).message(),
            "shared memory region 'r' already in manager");
  EXPECT_EQ(table_.List(RegionKind::kCuda, "r").status().message(),
            "The region named 'r' is registered as system shared memory, not CUDA shared memory");
  EXPECT_EQ(table_.List(RegionKind::kSystem, "x").status().message(),
            "Unable to find system shared memory region: 'x'");
  table_.Unregister(RegionKind::kCuda, {});
  table_.Unregister(RegionKind::kCuda, "r");
  EXPECT_EQ(table_.List(RegionKind::kSystem, {})->size(), 1u);
  EXPECT_EQ(table_.RegisterSystem(Spec("", object.key(), 0, 1)).code(), Code::kInvalidArgument);
}

TEST_F(Regions, AreLimitedInNumber) {
  Object object(4096);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(table_.RegisterSystem(Spec(std::to_string(i), object.key(), 0, 1)).ok());
  }
  EXPECT_EQ(table_.RegisterSystem(Spec("8", object.key(), 0, 1)).code(), Code::kUnavailable);
  table_.Unregister(RegionKind::kSystem, {});
  EXPECT_TRUE(table_.RegisterSystem(Spec("8", object.key(), 0, 1)).ok());
}

TEST_F(Regions, SurviveClientsThatShrinkThem) {
  for (const bool is_guarded : {false, true}) {
    SCOPED_TRACE(is_guarded);
    signal(SIGBUS, SIG_DFL);
    if (is_guarded) Guard();
    Object object(4 * 4096);
    const RegionRef region = Register(object, 0, 4 * 4096);
    ASSERT_TRUE(region);
    const Result<RegionBytes> before = region->Read(0, 4 * 4096, &pool_);
    ASSERT_TRUE(before.ok());
    object.Resize(100);
    EXPECT_EQ(region->Read(0, 4 * 4096, &pool_).status().code(), Code::kInvalidArgument);
    EXPECT_EQ(region->Snapshot(0, 4 * 4096, &pool_).status().code(), Code::kInvalidArgument);
    EXPECT_EQ(region->Write(4096, "bytes").code(), Code::kInvalidArgument);
    EXPECT_EQ(region->CheckIntact(0, 101).code(), Code::kInvalidArgument);
    EXPECT_TRUE(region->CheckIntact(0, 100).ok());
    // Without the guard these bytes are a copy. With it the touch breaks the region for good.
    EXPECT_EQ(before->bytes.data[3 * 4096], '\0');
    object.Resize(4 * 4096);
    EXPECT_EQ(region->CheckIntact(0, 1).ok(), !is_guarded);
    table_.Unregister(RegionKind::kSystem, {});
  }
}

TEST_F(Regions, LeaveOtherFaultsToOthers) {
  std::signal(SIGBUS, SIG_DFL);  // sanitizers have a handler of their own
  Guard();
  EXPECT_EXIT(
      {
        const int descriptor = memfd_create("other", 0);
        void* data = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, descriptor, 0);
        const volatile char* byte = static_cast<const char*>(data);
        [[maybe_unused]] const char touched = *byte;
      },
      testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace pt
