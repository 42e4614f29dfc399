#include "base/sip_hash.h"

#include <gtest/gtest.h>

#include <string>

namespace pt {
namespace {

// The vectors of the reference implementation: key 00 01 .. 0f, message 00 01 .. of each length.
TEST(SipHash, IsThatOfThePaper) {
  const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::string message;
  for (int i = 0; i < 15; ++i) message.push_back(static_cast<char>(i));
  EXPECT_EQ(SipHash(key, ""), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(SipHash(key, message.substr(0, 1)), 0x74f839c593dc67fdU);
  EXPECT_EQ(SipHash(key, message.substr(0, 8)), 0x93f5f5799a932462U);
  EXPECT_EQ(SipHash(key, message), 0xa129ca6149be45e5U);
}

TEST(SipHash, SecretsDiffer) {
  EXPECT_NE(SipHash(SipKey::Random(), "x"), SipHash(SipKey::Random(), "x"));
}

}  // namespace
}  // namespace pt
