#include "backend/worker_arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <random>
#include <vector>

namespace pt::backend {
namespace {

constexpr size_t kKb = 1024;
constexpr size_t kSpace = size_t{64} << 20;
constexpr uint32_t kSlots = 64;

class WorkerArenaTest : public ::testing::Test {
 protected:
  WorkerArenaTest()
      : memory_(static_cast<char*>(
            mmap(nullptr, kSpace, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
        words_(kSlots),
        arena_({memory_, kSpace / 2, kSpace, words_.data(), kSlots / 2, kSlots / 2}) {}
  ~WorkerArenaTest() override { munmap(memory_, kSpace); }

  uint64_t OffsetOf(const char* data) const { return static_cast<uint64_t>(data - memory_); }

  char* const memory_;
  std::vector<std::atomic<uint32_t>> words_;
  WorkerArena arena_;
};

TEST_F(WorkerArenaTest, PiecesDontOverlapAndLieInItsPart) {
  std::mt19937 random(1);
  std::vector<std::pair<char*, size_t>> live;
  for (int round = 0; round < 2000; ++round) {
    if (live.size() > 5) {
      const size_t index = random() % live.size();
      arena_.Free(live[index].first);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(index));
    }
    const size_t size = 64 * kKb + random() % (512 * kKb);
    char* data = arena_.Allocate(size);
    if (data == nullptr) continue;  // every slot is of another size
    EXPECT_GE(data, memory_ + kSpace / 2);
    EXPECT_LE(data + size, memory_ + kSpace);
    EXPECT_GE(arena_.SizeOf(data), size);
    for (const auto& [other, length] : live) {
      EXPECT_TRUE(data + size <= other || other + length <= data);
    }
    live.emplace_back(data, size);
  }
}

TEST_F(WorkerArenaTest, WastesAtMostAFifth) {
  for (size_t size = 64 * kKb; size < 4096 * kKb; size += 37 * kKb) {
    char* data = arena_.Allocate(size);
    if (data == nullptr) break;
    EXPECT_LE(arena_.SizeOf(data), size + size / 4) << size;
    arena_.Free(data);
  }
}

TEST_F(WorkerArenaTest, SendsOnlyWhatLiesInOneHeldPiece) {
  char* data = arena_.Allocate(100 * kKb);
  const uint64_t offset = OffsetOf(data);
  EXPECT_FALSE(arena_.Send(offset - 1, 1));
  EXPECT_FALSE(arena_.Send(0, 1));
  EXPECT_FALSE(arena_.Send(offset, arena_.SizeOf(data) + 1));
  EXPECT_FALSE(arena_.Send(offset + 1, UINT64_MAX));
  const auto slot = arena_.Send(offset + 8, 64);
  ASSERT_TRUE(slot);
  EXPECT_EQ(words_[*slot].load(), 1u);
  EXPECT_FALSE(arena_.Send(offset, 64)) << "it is being sent already";
  EXPECT_TRUE(arena_.IsHeld(*slot));
  arena_.Free(data);
  EXPECT_FALSE(arena_.IsHeld(*slot));
  words_[*slot] = 0;
  EXPECT_FALSE(arena_.Send(offset, 64)) << "nobody has it";
}

TEST_F(WorkerArenaTest, ReusesAPieceWhenItIsNeitherHeldNorSent) {
  char* data = arena_.Allocate(100 * kKb);
  const auto slot = arena_.Send(OffsetOf(data), 64);
  arena_.Free(data);
  char* other = arena_.Allocate(100 * kKb);
  EXPECT_NE(other, data);
  words_[*slot] = 0;
  EXPECT_EQ(arena_.Allocate(100 * kKb), data);
}

TEST_F(WorkerArenaTest, EndsWithItsSlotsAndItsMemory) {
  std::vector<char*> all;
  while (char* data = arena_.Allocate(64 * kKb)) all.push_back(data);
  EXPECT_EQ(all.size(), kSlots / 2);
  EXPECT_EQ(arena_.Allocate(size_t{1} << 60), nullptr);
  EXPECT_EQ(arena_.Allocate(SIZE_MAX), nullptr);
  arena_.Free(all[3]);
  EXPECT_EQ(arena_.Allocate(64 * kKb), all[3]);
}

TEST_F(WorkerArenaTest, IgnoresWhatIsFreedTwice) {
  char* data = arena_.Allocate(64 * kKb);
  arena_.Free(data);
  arena_.Free(data);
  EXPECT_NE(arena_.Allocate(64 * kKb), arena_.Allocate(64 * kKb));
}

}  // namespace
}  // namespace pt::backend
