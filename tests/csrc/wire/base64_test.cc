#include "wire/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace pt::wire {
namespace {

using namespace std::string_literals;

TEST(Base64, DecodesWhatTheStandardGives) {
  // RFC 4648 section 10.
  EXPECT_EQ(*DecodeBase64(""), "");
  EXPECT_EQ(*DecodeBase64("Zg=="), "f");
  EXPECT_EQ(*DecodeBase64("Zm8="), "fo");
  EXPECT_EQ(*DecodeBase64("Zm9v"), "foo");
  EXPECT_EQ(*DecodeBase64("Zm9vYg=="), "foob");
  EXPECT_EQ(*DecodeBase64("Zm9vYmE="), "fooba");
  EXPECT_EQ(*DecodeBase64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(*DecodeBase64("AP/+gA=="), "\x00\xff\xfe\x80"s);
  EXPECT_EQ(*DecodeBase64("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64, TakesLinesAndLacksOfPadding) {
  for (const char* text :
       {"Zm9vYg==", "Zm9vYg", "Zm9v\nYg==\n", "Zm9v\r\nYg==\r\n", " Z m\t9vYg = = ", "Zm9vYg\n"}) {
    const auto decoded = DecodeBase64(text);
    ASSERT_TRUE(decoded.ok()) << text << decoded.status().message();
    EXPECT_EQ(*decoded, "foob") << text;
  }
  EXPECT_EQ(*DecodeBase64("Zm8"), "fo");
  EXPECT_EQ(*DecodeBase64("\n"), "");
}

struct BadCase {
  std::string text;
  std::string message;
};

TEST(Base64, RefusesEverythingElseWithItsPlace) {
  const BadCase cases[] = {
      {"Z", "expected base64 of whole bytes, got 1 digits"},
      {"Zm9vY", "expected base64 of whole bytes, got 5 digits"},
      {"=", "expected base64 with 0 '=' at its end, got 1"},
      {"Zg=", "expected base64 with 2 '=' at its end, got 1"},
      {"Zg===", "expected base64 with 2 '=' at its end, got 3"},
      {"Zm9vY!==", "expected base64, got an invalid character at offset 5"},
      {"Zm-_", "expected base64, got an invalid character at offset 2"},
      {"Z===", "expected base64 of whole bytes, got 1 digits"},
      {"====", "expected base64 with 0 '=' at its end, got 4"},
      {"Zg==Zg==", "expected base64, got an invalid character at offset 4"},
      {"Zg=\n=\nZg", "expected base64, got an invalid character at offset 6"},
      {"Zm9\v", "expected base64, got an invalid character at offset 3"},
      {"Zm9\0"s, "expected base64, got an invalid character at offset 3"},
      {"\xffm9v", "expected base64, got an invalid character at offset 0"},
      {"Zh==", "expected base64, got bits after its end"},
      {"Zm9=", "expected base64, got bits after its end"},
  };
  for (const BadCase& bad : cases) {
    const auto decoded = DecodeBase64(bad.text);
    ASSERT_FALSE(decoded.ok()) << bad.text;
    EXPECT_EQ(decoded.status().code(), Code::kInvalidArgument);
    EXPECT_EQ(decoded.status().message(), bad.message) << bad.text;
  }
}

TEST(Base64, EveryByteComesThrough) {
  // Three bytes are four digits: all byte values in each place.
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(3, static_cast<char>(byte));
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint32_t bits = static_cast<uint32_t>(byte) * 0x010101U;
    std::string text;
    for (const uint32_t shift : {18U, 12U, 6U, 0U}) text += kAlphabet[(bits >> shift) & 63U];
    EXPECT_EQ(*DecodeBase64(text), bytes) << text;
  }
}

}  // namespace
}  // namespace pt::wire
