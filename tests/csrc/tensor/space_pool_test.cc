#include "tensor/space_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace pt {
namespace {

constexpr size_t kPart = SpacePool::kAlignment;

struct Room {
  explicit Room(size_t units) : bytes((units + 1) * kPart) {
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    begin = bytes.data() + (kPart - address % kPart) % kPart;
  }
  std::vector<char> bytes;
  char* begin = nullptr;
};

TEST(SpacePool, TakesTheSmallestHoleThatFits) {
  Room room(10);
  SpacePool pool(room.begin, 10 * kPart);
  char* const a = pool.Take(3 * kPart);
  char* const b = pool.Take(kPart);
  char* const c = pool.Take(2 * kPart);
  char* const d = pool.Take(1);  // one unit all the same
  EXPECT_EQ(pool.used_bytes(), 7 * kPart);
  pool.Give(a);
  pool.Give(c);
  EXPECT_EQ(pool.Take(2 * kPart), c);
  EXPECT_EQ(pool.Take(3 * kPart - 1), a);
  EXPECT_NE(b, d);
}

TEST(SpacePool, JoinsHolesThatTouch) {
  Room room(3);
  SpacePool pool(room.begin, 3 * kPart);
  std::vector<char*> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(pool.Take(kPart));
  EXPECT_EQ(pool.Take(1), nullptr);
  for (const int i : {0, 2, 1}) pool.Give(taken[i]);
  EXPECT_EQ(pool.Take(3 * kPart), room.begin);
}

TEST(SpacePool, HoldsNothingTooLarge) {
  Room room(2);
  SpacePool pool(room.begin, 2 * kPart + 1);
  EXPECT_EQ(pool.Take(2 * kPart + 1), nullptr);
  EXPECT_EQ(pool.Take(SIZE_MAX), nullptr);
  EXPECT_EQ(SpacePool(room.begin, kPart - 1).Take(1), nullptr);
}

TEST(SpacePool, NeverDealsBytesTwice) {
  constexpr size_t kUnits = 64;
  Room room(kUnits);
  SpacePool pool(room.begin, kUnits * kPart);
  std::mt19937 random(1);
  std::map<char*, size_t> taken;
  for (int i = 0; i < 5000; ++i) {
    if (random() % 2 == 0 || taken.empty()) {
      const size_t size = random() % (8 * kPart) + 1;
      char* const memory = pool.Take(size);
      if (memory == nullptr) continue;
      ASSERT_GE(memory, room.begin);
      ASSERT_LE(memory + size, room.begin + kUnits * kPart);
      const auto after = taken.lower_bound(memory);
      if (after != taken.end()) {
        ASSERT_LE(memory + size, after->first);
      }
      if (after != taken.begin()) {
        ASSERT_LE(std::prev(after)->first + std::prev(after)->second, memory);
      }
      taken.emplace(memory, size);
    } else {
      const auto given = std::next(taken.begin(), static_cast<long>(random() % taken.size()));
      pool.Give(given->first);
      taken.erase(given);
    }
  }
  for (const auto& [memory, size] : taken) pool.Give(memory);
  EXPECT_EQ(pool.used_bytes(), 0u);
  EXPECT_EQ(pool.Take(kUnits * kPart), room.begin);
}

}  // namespace
}  // namespace pt
