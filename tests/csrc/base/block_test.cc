#include "base/block.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>

namespace pt {
namespace {

bool IsAligned(const char* data, size_t alignment) {
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

TEST(SliceTest, TakesAStringOverWithoutCopy) {
  std::string text(1000, 'x');
  const char* const bytes = text.data();
  const Slice slice = Slice::OfString(std::move(text));
  EXPECT_EQ(slice.data, bytes);
  EXPECT_EQ(slice.size, 1000u);
}

TEST(SliceTest, KeepsShortStringsAlive) {
  Slice slice;
  {
    const Slice first = Slice::OfString("abc");
    slice = first.Sub(1, 2);
  }
  EXPECT_EQ(slice.view(), "bc");
}

TEST(SliceTest, CopyIsAligned) {
  const Slice slice = Slice::Copy("hello");
  EXPECT_EQ(slice.view(), "hello");
  EXPECT_TRUE(IsAligned(slice.data, 64));
  EXPECT_TRUE(Slice::Copy("").empty());
}

TEST(SliceTest, FlattensLists) {
  const SliceList list = {Slice::Static("ab"), Slice(), Slice::Copy("cd")};
  EXPECT_EQ(TotalSize(list), 4u);
  EXPECT_EQ(Flatten(list), "abcd");
}

TEST(BlockPoolTest, GivesEveryWantedSizeWithLittleWaste) {
  BlockPool pool;
  for (size_t size = 0; size < (size_t{1} << 22); size = size * 9 / 8 + 1) {
    const BlockRef block = pool.Allocate(size);
    ASSERT_TRUE(block);
    EXPECT_GE(block->capacity(), size);
    EXPECT_LE(block->capacity(), size < 256 ? 256 : size + size / 4);
    EXPECT_TRUE(IsAligned(block->data(), 64));
    std::memset(block->data(), 0xA5, block->capacity());
  }
}

TEST(BlockPoolTest, AlignsHugeBlocksToHugePages) {
  BlockPool pool;
  const BlockRef block = pool.Allocate(size_t{3} << 20);
  ASSERT_TRUE(block);
  EXPECT_TRUE(IsAligned(block->data(), size_t{2} << 20));
}

TEST(BlockPoolTest, HandsAFreedBlockOutAgain) {
  BlockPool pool;
  const char* data = nullptr;
  {
    const BlockRef block = pool.Allocate(1000);
    data = block->data();
    EXPECT_EQ(pool.live_blocks(), 1u);
  }
  EXPECT_EQ(pool.live_blocks(), 0u);
  EXPECT_GT(pool.kept_bytes(), 0u);
  const BlockRef again = pool.Allocate(1000);
  EXPECT_EQ(again->data(), data);
  EXPECT_EQ(pool.kept_bytes(), 0u);
}

TEST(BlockPoolTest, KeepsNoMoreThanItsLimit) {
  BlockPool pool(4096);
  {
    const BlockRef small = pool.Allocate(4096);
    const BlockRef other = pool.Allocate(4096);
  }
  EXPECT_EQ(pool.kept_bytes(), 4096u);
  pool.Trim();
  EXPECT_EQ(pool.kept_bytes(), 0u);
}

TEST(BlockPoolTest, BlocksOutliveThePool) {
  BlockRef block;
  {
    BlockPool pool;
    block = pool.Allocate(100);
  }
  std::memset(block->data(), 1, 100);
  block.Reset();
}

TEST(BlockPoolTest, RefusesWhatNoSystemHas) {
  BlockPool pool;
  EXPECT_FALSE(pool.Allocate(size_t{1} << 60));
  EXPECT_EQ(pool.live_blocks(), 0u);
}

TEST(BlockPoolTest, TakesBlocksBackFromOtherThreads) {
  BlockPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool] {
      for (int i = 0; i < 2000; ++i) {
        BlockRef block = pool.Allocate(300 + i % 700);
        BlockRef second = block;
        block.Reset();
        second->data()[0] = 'x';
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.live_blocks(), 0u);
}

}  // namespace
}  // namespace pt
