#include "tensor/device_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tensor/cuda_address.h"

namespace pt {
namespace {

constexpr size_t kUnit = SpacePool::kAlignment;

// Addresses of no memory: a pool that touched them would end the test.
char* Begin() { return PointerTo<char>(CudaAddress{1} << 40); }

class DevicePoolTest : public testing::Test {
 protected:
  DevicePoolTest()
      : pool_(Begin(), 4 * kUnit, [this] {
          ++waits_;
          return is_broken_ ? Internal("expected the device to go on, got an error") : Status();
        }) {}

  int waits_ = 0;
  bool is_broken_ = false;
  DevicePool pool_;
};

TEST_F(DevicePoolTest, UsesAgainOnlyWhatTheDeviceIsDoneWith) {
  char* const first = pool_.Take(kUnit);
  pool_.Give(first, kUnit);
  std::set<char*> others;
  for (int i = 0; i < 3; ++i) others.insert(pool_.Take(kUnit));
  EXPECT_EQ(others.count(first), 0U);
  EXPECT_EQ(waits_, 0);
  EXPECT_EQ(pool_.Take(1), first);  // nothing else is left
  EXPECT_EQ(waits_, 1);
  EXPECT_EQ(pool_.Take(1), nullptr);  // nothing came back: waiting would not help
  EXPECT_EQ(waits_, 1);
}

TEST_F(DevicePoolTest, OneWaitIsForAllThatCameBack) {
  std::vector<char*> pieces;
  for (int i = 0; i < 4; ++i) pieces.push_back(pool_.Take(kUnit));
  for (char* const piece : pieces) pool_.Give(piece, kUnit);
  EXPECT_EQ(pool_.Take(4 * kUnit), Begin());
  EXPECT_EQ(waits_, 1);
}

TEST_F(DevicePoolTest, NeverWaitsForWhatItCannotHold) {
  pool_.Give(pool_.Take(kUnit), kUnit);
  EXPECT_EQ(pool_.Take(4 * kUnit + 1), nullptr);
  EXPECT_EQ(pool_.Take(SIZE_MAX), nullptr);
  EXPECT_EQ(waits_, 0);
}

TEST_F(DevicePoolTest, KeepsWhatADeviceDoesNotEndItsWorkWith) {
  pool_.Give(pool_.Take(4 * kUnit), 4 * kUnit);
  is_broken_ = true;
  EXPECT_EQ(pool_.Take(kUnit), nullptr);
  is_broken_ = false;
  EXPECT_EQ(pool_.Take(kUnit), Begin());
}

TEST_F(DevicePoolTest, Counts) {
  char* const kept = pool_.Take(kUnit + 1);
  pool_.Give(pool_.Take(2), 2);
  DevicePoolCounters counters = pool_.counters();
  EXPECT_EQ(counters.total_bytes, 4 * kUnit);
  EXPECT_EQ(counters.used_bytes, 2 * kUnit);
  EXPECT_EQ(counters.taken, 2U);
  EXPECT_EQ(pool_.Take(3 * kUnit), nullptr);
  pool_.Give(kept, kUnit + 1);
  EXPECT_NE(pool_.Take(4 * kUnit), nullptr);
  counters = pool_.counters();
  EXPECT_EQ(counters.used_bytes, 4 * kUnit);
  EXPECT_EQ(counters.refused, 1U);
  EXPECT_EQ(counters.waits, 2U);
}

TEST(DevicePool, NeverDealsAPieceTwice) {
  DevicePool pool(Begin(), 16 * kUnit, [] { return Status(); });
  std::mutex mu;
  std::set<char*> held;
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      char* const piece = pool.Take(kUnit);
      if (piece == nullptr) continue;
      {
        const std::lock_guard<std::mutex> lock(mu);
        EXPECT_TRUE(held.insert(piece).second);
      }
      {
        const std::lock_guard<std::mutex> lock(mu);
        held.erase(piece);
      }
      pool.Give(piece, kUnit);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.counters().used_bytes, 0U);
}

}  // namespace
}  // namespace pt
