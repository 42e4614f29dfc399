#include "base/sip_hash.h"

#include <bit>
#include <cstring>
#include <random>

namespace pt {
namespace {

struct State {
  uint64_t v0;
  uint64_t v1;
  uint64_t v2;
  uint64_t v3;

  void Round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
};

}  // namespace

SipKey SipKey::Random() {
  std::random_device random;
  const auto word = [&random] { return (uint64_t{random()} << 32) | random(); };
  return {word(), word()};
}

uint64_t SipHash(const SipKey& key, std::string_view bytes) {
  State state{key.k0 ^ 0x736f6d6570736575U, key.k1 ^ 0x646f72616e646f6dU,
              key.k0 ^ 0x6c7967656e657261U, key.k1 ^ 0x7465646279746573U};
  const uint64_t length = bytes.size();
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));  // little-endian machines only, as the wire
    state.Take(word);
    bytes.remove_prefix(sizeof(word));
  }
  uint64_t last = length << 56;
  for (size_t i = 0; i < bytes.size(); ++i) {
    last |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  state.Take(last);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace pt
