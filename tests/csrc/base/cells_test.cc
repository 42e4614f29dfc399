#include "base/cells.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace pt {
namespace {

TEST(Cells, KeepWhatIsWrittenToThemApart) {
  std::vector<std::pair<char*, size_t>> cells;
  for (size_t size = 0; size <= kMaxCell + 64; size += 13) {
    char* const cell = static_cast<char*>(TakeCell(size));
    ASSERT_NE(cell, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(cell) % alignof(std::max_align_t), 0u);
    std::memset(cell, static_cast<int>(size % 251), size);
    cells.push_back({cell, size});
  }
  for (const auto& [cell, size] : cells) {
    const std::string expected(size, static_cast<char>(size % 251));
    EXPECT_EQ(std::string(cell, size), expected);
    GiveCell(cell, size);
  }
}

TEST(Cells, HaveRoomForEachSizeOfTheirClass) {
  GiveCell(TakeCell(65), 65);
  void* const cell = TakeCell(128);  // may be the one that was asked 65 bytes for
  std::memset(cell, 1, 128);
  GiveCell(cell, 128);
}

TEST(Cells, MoreThanAreKeptGoBackToTheHeap) {
  std::vector<void*> cells(3 * kKeptCells);
  for (void*& cell : cells) cell = TakeCell(200);
  EXPECT_EQ(std::set<void*>(cells.begin(), cells.end()).size(), cells.size());
  for (void* cell : cells) GiveCell(cell, 200);
}

TEST(Cells, MayBeGivenBackByAnotherThread) {
  std::vector<void*> cells(kKeptCells);
  for (void*& cell : cells) cell = TakeCell(96);
  std::thread([&] {
    for (void* cell : cells) GiveCell(cell, 96);
    std::vector<void*> again(kKeptCells);
    for (void*& cell : again) cell = TakeCell(96);
    for (void* cell : again) GiveCell(cell, 96);
  }).join();  // what the thread kept is freed: LeakSanitizer sees it
}

// What comes without memory is operator new's affair: sanitizers abort where it would return null.
TEST(Cells, TakenByEitherFunctionAreTheSame) {
  for (size_t size : {size_t{0}, size_t{1}, kMaxCell, kMaxCell + 1}) {
    GiveCell(TakeCell(size), size);
    void* const cell = TryTakeCell(size);
    ASSERT_NE(cell, nullptr);
    std::memset(cell, 1, size);
    GiveCell(cell, size);
  }
}

TEST(Cells, GivingBackNothingIsAllowed) { GiveCell(nullptr, 10); }

struct Counted : InCells {
  explicit Counted(int* c) : count(c) { ++*count; }
  virtual ~Counted() { --*count; }
  int* const count;
};
struct Larger final : Counted {
  using Counted::Counted;
  char more[3 * kMaxCell] = {};
};

TEST(Cells, ObjectsOfDerivedClassesMayBeLargerThanCells) {
  int count = 0;
  {
    std::vector<std::unique_ptr<Counted>> objects;
    objects.push_back(std::make_unique<Counted>(&count));
    objects.push_back(std::make_unique<Larger>(&count));
    EXPECT_EQ(count, 2);
  }
  EXPECT_EQ(count, 0);
}

TEST(Cells, HoldVectors) {
  std::vector<std::string, CellAllocator<std::string>> list;
  for (int i = 0; i < 1000; ++i) list.push_back(std::to_string(i));
  const auto copy = list;
  list.clear();
  list.shrink_to_fit();
  EXPECT_EQ(copy.at(999), "999");
}

}  // namespace
}  // namespace pt
