// The records of messages as bytes (backend/worker_codec.h; the twin in Python is
// backends/_messages.py).
//
// Thread rule and owner rule: plain data.
#pragma once

#include <cstdint>
#include <string_view>

namespace pt::hot {

// Set in the number of requests or responses: the first is written in full, rows follow.
inline constexpr uint32_t kRowsFollow = 0x80000000u;

// Where a tensor's bytes are.
inline constexpr uint16_t kInMessage = 0;
inline constexpr uint16_t kInResults = 1;
inline constexpr uint16_t kInLoan = 2;

struct [[gnu::packed]] RequestHead {
  uint64_t key;
  uint64_t correlation;
  uint64_t timeout;
  uint32_t flags;
  uint16_t id_size;
  uint16_t text_size;
  uint16_t requested;
  uint16_t inputs;
  uint32_t parameters;
};
static_assert(sizeof(RequestHead) == 40);

struct [[gnu::packed]] ResponseHead {
  uint64_t key;
  uint8_t flags;
  uint8_t code;
  uint16_t outputs;
  uint16_t parameters;
  uint16_t padding;
  uint32_t text_size;
};
static_assert(sizeof(ResponseHead) == 20);

struct [[gnu::packed]] TensorHead {
  uint16_t index;
  uint8_t dtype;
  uint8_t rank;
  uint16_t place;
  uint16_t padding;
  uint32_t number;
  uint64_t offset;
  uint64_t size;
};
static_assert(sizeof(TensorHead) == 28);

// A message that lies elsewhere.
struct [[gnu::packed]] Pointer {
  uint64_t offset;
  uint64_t size;
  uint32_t number;
};
static_assert(sizeof(Pointer) == 20);

// The end of a batch; a text follows.
struct [[gnu::packed]] Done {
  uint32_t sequence;
  uint64_t nanoseconds;
  uint8_t has_failed;
};
static_assert(sizeof(Done) == 13);

template <typename T>
std::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace pt::hot
