#include "wire/json_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string>

namespace pt::wire {
namespace {

std::string Text(double value) {
  char buffer[kMaxJsonDouble];
  return {buffer, WriteJsonDouble(value, buffer)};
}

TEST(JsonWriter, WritesDoublesAsRapidJson) {
  const struct {
    double value;
    const char* text;
  } kRows[] = {
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {44.0, "44.0"},
      {-1.5, "-1.5"},
      {static_cast<double>(0.1f), "0.10000000149011612"},
      {static_cast<double>(1e30f), "1.0000000150474662e30"},
      {static_cast<double>(9.99994610111476e-41f), "9.99994610111476e-41"},
      {1e-320, "1e-320"},
      {12345678901234567890.0, "12345678901234567000.0"},
      {1e20, "100000000000000000000.0"},
      {1e21, "1e21"},
      {123e-6, "0.000123"},
      {1e-6, "0.000001"},
      {1e-7, "1e-7"},
      {1.25e-7, "1.25e-7"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e308"},
      {std::numeric_limits<double>::denorm_min(), "5e-324"},
      {-std::numeric_limits<double>::max(), "-1.7976931348623157e308"},
      {9007199254740993.0, "9007199254740992.0"},
      {std::numeric_limits<double>::quiet_NaN(), "NaN"},
      {std::numeric_limits<double>::infinity(), "Infinity"},
      {-std::numeric_limits<double>::infinity(), "-Infinity"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Text(row.value), row.text);
}

TEST(JsonWriter, DoublesReadBackTheSame) {
  uint64_t state = 88172645463325252u;
  for (int i = 0; i < 20000; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    double value = 0;
    std::memcpy(&value, &state, sizeof(value));
    if (value != value) continue;
    const std::string text = Text(value);
    ASSERT_LE(text.size(), kMaxJsonDouble);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
  }
}

TEST(JsonWriter, EscapesStrings) {
  JsonWriter writer(nullptr, 0);
  writer.String(std::string_view("a\"b\\c/\b\f\n\r\t\x01\x1F\x7F\xFF\0z", 17));
  EXPECT_EQ(writer.view(), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001F\x7F\xFF\\u0000z\"");
}

TEST(JsonWriter, GrowsAndGivesItsBlockAway) {
  BlockPool pool;
  JsonWriter writer(&pool, 8);
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    writer.Integer(int64_t{-i}).Raw(",");
    expected += std::to_string(-i) + ",";
  }
  writer.Integer(std::numeric_limits<uint64_t>::max()).Integer(std::numeric_limits<int64_t>::min());
  expected += "18446744073709551615-9223372036854775808";
  ASSERT_TRUE(writer.ok());
  const Slice text = std::move(writer).Take();
  EXPECT_EQ(text.view(), expected);
}

TEST(JsonWriter, ErrorBodyIsOneObject) {
  EXPECT_EQ(JsonError("say \"no\""), "{\"error\":\"say \\\"no\\\"\"}");
}

}  // namespace
}  // namespace pt::wire
