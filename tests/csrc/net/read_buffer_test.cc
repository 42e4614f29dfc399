#include "net/read_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace pt::net {
namespace {

void Receive(ReadBuffer* buffer, std::string_view bytes) {
  while (!bytes.empty()) {
    size_t room = 0;
    char* const data = buffer->Prepare(&room);
    ASSERT_NE(data, nullptr);
    const size_t part = std::min(room, bytes.size());
    std::memcpy(data, bytes.data(), part);
    buffer->Commit(part);
    bytes.remove_prefix(part);
  }
}

TEST(ReadBufferTest, UsesTheSameMemoryAgainWhenNothingWasKept) {
  BlockPool pool;
  ReadArena arena(&pool);
  ReadBuffer buffer(&arena);
  const char* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    Receive(&buffer, "request");
    if (i == 0) first = buffer.bytes().data();
    EXPECT_EQ(buffer.bytes().data(), first);
    buffer.Consume(7);
    buffer.Settle();
  }
}

TEST(ReadBufferTest, KeepsSlicesWhileOthersReceive) {
  BlockPool pool;
  ReadArena arena(&pool);
  ReadBuffer a(&arena);
  ReadBuffer b(&arena);
  Receive(&a, "first");
  const Slice kept = a.SliceAt(a.bytes().data(), 5);
  a.Consume(5);
  a.Settle();
  Receive(&b, "other");
  EXPECT_EQ(kept.view(), "first");
  EXPECT_EQ(b.bytes(), "other");
  EXPECT_EQ(pool.live_blocks(), 1u);
}

TEST(ReadBufferTest, MovesAPartialMessageAndJoinsTheRest) {
  BlockPool pool;
  ReadArena arena(&pool);
  ReadBuffer a(&arena);
  ReadBuffer b(&arena);
  Receive(&a, "par");
  Receive(&b, "between");
  Receive(&a, "tial");
  EXPECT_EQ(a.bytes(), "partial");
  EXPECT_EQ(b.bytes(), "between");
  a.Consume(7);
  a.Settle();
  b.Consume(7);
  b.Settle();
  EXPECT_EQ(pool.live_blocks(), 1u);
}

TEST(ReadBufferTest, GrowsForAMessageLargerThanABlock) {
  BlockPool pool;
  ReadArena arena(&pool);
  ReadBuffer buffer(&arena);
  std::string message(300 << 10, 'x');
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<char>('a' + i % 19);
  Receive(&buffer, message);
  EXPECT_EQ(buffer.bytes(), message);
}

}  // namespace
}  // namespace pt::net
