// SipHash-2-4: a hash for tables whose keys come from clients. Without the secret, nobody can
// choose keys that collide (Aumasson and Bernstein, 2012).
//
// Thread rule: pure; a SipKey is a value.
#pragma once

#include <cstdint>
#include <string_view>

namespace pt {

struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
  // From the system's random numbers.
  static SipKey Random();
};

uint64_t SipHash(const SipKey& key, std::string_view bytes);

}  // namespace pt
