#include "wire/json_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace pt::wire {
namespace {

constexpr int kDepth = 100;

std::string ErrorOf(std::string_view text) {
  JsonDocument document(kDepth);
  const Status status = document.Parse(text);
  return status.message();
}

TEST(JsonReader, ReadsEveryType) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document
                  .Parse(R"({"s":"a\n\u00e9\ud83d\ude00","i":-5,"u":18446744073709551615,)"
                         R"("d":1.5,"t":true,"f":false,"n":null,"a":[1,[2]],"o":{}})")
                  .ok());
  const JsonValue root = document.root();
  EXPECT_EQ(*root.Find("s").AsString(), "a\n\xC3\xA9\xF0\x9F\x98\x80");
  EXPECT_EQ(*root.Find("i").AsInt64(), -5);
  EXPECT_EQ(*root.Find("u").AsUint64(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(*root.Find("d").AsDouble(), 1.5);
  EXPECT_EQ(*root.Find("i").AsDouble(), -5.0);
  EXPECT_TRUE(*root.Find("t").AsBool());
  EXPECT_FALSE(*root.Find("f").AsBool());
  EXPECT_TRUE(root.Find("n").is_null());
  EXPECT_TRUE(root.Find("a").is_array());
  EXPECT_TRUE(root.Find("o").is_object());
  EXPECT_FALSE(root.Find("absent"));
  EXPECT_FALSE(root.Find("a").Find("x"));
}

TEST(JsonReader, TakesTheFirstOfDuplicateKeys) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document.Parse(R"({"a":1,"a":2})").ok());
  EXPECT_EQ(*document.root().Find("a").AsInt64(), 1);
}

TEST(JsonReader, TypeErrorsTellThePath) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document.Parse(R"({"x":[{"y":1},{"y":{"a b":[true,-1]}}],"s":"t"})").ok());
  const JsonValue root = document.root();
  std::vector<JsonValue> items;
  for (const JsonValue item : root.Find("x").elements()) items.push_back(item);
  ASSERT_EQ(items.size(), 2u);
  const JsonValue inner = items[1].Find("y").Find("a b");
  EXPECT_EQ(inner.Path(), "$.x[1].y['a b']");
  EXPECT_EQ(inner.AsString().status().message(),
            "attempt to access JSON non-string as string, at $.x[1].y['a b']");
  std::vector<JsonValue> leaves;
  for (const JsonValue leaf : inner.elements()) leaves.push_back(leaf);
  EXPECT_EQ(leaves[1].AsUint64().status().message(),
            "attempt to access JSON non-unsigned-integer as unsigned-integer, at "
            "$.x[1].y['a b'][1]");
  EXPECT_EQ(root.AsBool().status().message(),
            "attempt to access JSON non-boolean as boolean, at $");
  EXPECT_EQ(
      UnableToParse("s", root.Find("s").AsInt64().status()).message(),
      "Unable to parse 's': attempt to access JSON non-signed-integer as signed-integer, at $.s");
}

TEST(JsonReader, NamesTheReasonTheOffsetAndThePath) {
  const struct {
    const char* text;
    const char* error;
  } kRows[] = {
      {"", "The document is empty. at 0"},
      {"  ", "The document is empty. at 2"},
      {"{", "Missing a name for object member. at 1, in $"},
      {"{\"a\"", "Missing a colon after a name of object member. at 4, in $.a"},
      {"{\"a\":1", "Missing a comma or '}' after an object member. at 6, in $.a"},
      {"{\"a\":[1,2", "Missing a comma or ] after an array element. at 9, in $.a[1]"},
      {"{\"a\":[1,]}", "Invalid value. at 8, in $.a[1]"},
      {"[1,2,]", "Invalid value. at 5, in $[2]"},
      {"\"abc", "Missing a closing quotation mark in string. at 4"},
      {"{} x", "The document root must not be followed by other values. at 3"},
      {"[1e999]", "Number too big to be stored in double. at 1, in $[0]"},
      {"[1.]", "Miss fraction part in number. at 3, in $[0]"},
      {"[1e]", "Miss exponent in number. at 3, in $[0]"},
      {"[01]", "Missing a comma or ] after an array element. at 2, in $[0]"},
      {"{'a':1}", "Missing a name for object member. at 1, in $"},
      {"[\"\\x\"]", "Invalid escape character in string. at 2, in $[0]"},
      {"[\"\\u12g4\"]", "Incorrect hex digit after \\u escape in string. at 2, in $[0]"},
      {"[\"\\ud800\"]", "The surrogate pair in string is invalid. at 2, in $[0]"},
      {"[\"\\ud800\\u0041\"]", "The surrogate pair in string is invalid. at 2, in $[0]"},
      {"[\"a\nb\"]", "Invalid encoding in string. at 3, in $[0]"},
      {"/* c */ {}", "Invalid value. at 0"},
      {"nan", "Invalid value. at 1"},
      {"tru", "Invalid value. at 3"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(ErrorOf(row.text),
              std::string("failed to parse the request JSON buffer: ") + row.error)
        << row.text;
  }
}

TEST(JsonReader, AcceptsWhatTritonAcceptsBeyondTheStandard) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document
                  .Parse("\xEF\xBB\xBF [NaN,Infinity,-Infinity,Inf,-Inf,"
                         "123456789012345678901234567890,1e-999,\"\xFF\"]")
                  .ok());
  std::vector<JsonValue> items;
  for (const JsonValue item : document.root().elements()) items.push_back(item);
  ASSERT_EQ(items.size(), 8u);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(*items[0].AsDouble()));
  EXPECT_EQ(*items[1].AsDouble(), infinity);
  EXPECT_EQ(*items[2].AsDouble(), -infinity);
  EXPECT_EQ(*items[3].AsDouble(), infinity);
  EXPECT_EQ(*items[4].AsDouble(), -infinity);
  EXPECT_EQ(*items[5].AsDouble(), 123456789012345678901234567890.0);
  EXPECT_EQ(*items[6].AsDouble(), 0.0);
  EXPECT_EQ(*items[7].AsString(), "\xFF");
}

// Both readers must agree: a trailing NaN sends the same text to the tolerant one.
TEST(JsonReader, BothReadersGiveTheSameValues) {
  const std::string body = R"({"a":[1,-2,3.25,18446744073709551615,"x\t\u20ac\ud83d\ude00",true],)"
                           R"("b":{"c":{},"d":[]},"e":null,)";
  JsonDocument strict(kDepth), tolerant(kDepth);
  ASSERT_TRUE(strict.Parse(body + "\"z\":0}").ok());
  ASSERT_TRUE(tolerant.Parse(body + "\"z\":NaN}").ok());
  JsonLeaves left(strict.root().Find("a")), right(tolerant.root().Find("a"));
  JsonValue a, b;
  while (left.Next(&a)) {
    ASSERT_TRUE(right.Next(&b));
    ASSERT_EQ(a.type(), b.type());
    if (a.is_string()) {
      EXPECT_EQ(*a.AsString(), *b.AsString());
    }
    if (a.type() == JsonType::kDouble) {
      EXPECT_EQ(*a.AsDouble(), *b.AsDouble());
    }
    if (a.type() == JsonType::kInt) {
      EXPECT_EQ(*a.AsInt64(), *b.AsInt64());
    }
  }
  EXPECT_FALSE(right.Next(&b));
  EXPECT_TRUE(tolerant.root().Find("b").Find("d").is_array());
  EXPECT_EQ(tolerant.root().Find("z").Path(), "$.z");
}

TEST(JsonReader, CountsDepthTheSameInBothReaders) {
  for (const char* leaf : {"1", "NaN"}) {
    const std::string fits = std::string(kDepth, '[') + leaf + std::string(kDepth, ']');
    const std::string deep = "[" + fits + "]";
    EXPECT_EQ(ErrorOf(fits), "");
    EXPECT_EQ(ErrorOf(deep), "JSON nesting depth exceeds maximum allowed limit (100)");
  }
  EXPECT_EQ(ErrorOf(std::string(100000, '[')),
            "JSON nesting depth exceeds maximum allowed limit (100)");
}

TEST(JsonReader, FlattensNestedArrays) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document.Parse("[[1,2],[[3]],[],4,{\"a\":[5]}]").ok());
  JsonLeaves leaves(document.root());
  JsonValue leaf;
  for (int64_t expected = 1; expected <= 4; ++expected) {
    ASSERT_TRUE(leaves.Next(&leaf));
    EXPECT_EQ(*leaf.AsInt64(), expected);
  }
  ASSERT_TRUE(leaves.Next(&leaf));
  EXPECT_TRUE(leaf.is_object());
  EXPECT_FALSE(leaves.Next(&leaf));
}

TEST(JsonReader, IsReusable) {
  JsonDocument document(kDepth);
  ASSERT_TRUE(document.Parse("[1]").ok());
  ASSERT_FALSE(document.Parse("[").ok());
  EXPECT_FALSE(document.root());
  ASSERT_TRUE(document.Parse(std::string(10000, ' ') + "[2]").ok());
  EXPECT_TRUE(document.root().is_array());
}

}  // namespace
}  // namespace pt::wire
