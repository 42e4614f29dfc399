#include "wire/http2_head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pt::wire {
namespace {

using Verdict = Http2HeadBuilder::Verdict;
using Fields = std::vector<Http2Field>;

Verdict Judge(Http2HeadBuilder* builder, const Fields& fields) {
  builder->Begin();
  for (const Http2Field& field : fields) {
    if (builder->Add(field.name, field.value) == Verdict::kFlood) return Verdict::kFlood;
  }
  return builder->Finish();
}

Fields Get(const Fields& more = {}) {
  Fields fields{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

TEST(Http2HeadTest, TakesWhatRequestsMayHave) {
  Http2HeadBuilder builder(1000);
  const std::vector<Fields> cases{
      Get(),
      Get({{"te", "trailers"}, {"content-length", "17"}, {"x-empty", ""}}),
      Get({{"te", "Trailers"}}),
      {{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}},
      {{":method", "CONNECT"}, {":authority", "a:1"}},
  };
  for (const Fields& fields : cases) EXPECT_EQ(Judge(&builder, fields), Verdict::kFine);
}

TEST(Http2HeadTest, RefusesMalformedRequests) {
  Http2HeadBuilder builder(1000);
  const std::vector<Fields> cases{
      {},
      {{":method", "GET"}, {":scheme", "http"}},
      {{":scheme", "http"}, {":path", "/"}},
      {{":method", "GET"}, {":path", "/"}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", ""}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", "v2"}},
      {{":method", "GET"}, {":scheme", "http"}, {":path", "*"}},
      {{":method", "G T"}, {":scheme", "http"}, {":path", "/"}},
      {{":method", "CONNECT"}, {":authority", "a"}, {":path", "/"}},
      Get({{":path", "/again"}}),
      Get({{":status", "200"}}),
      Get({{"a", "b"}, {":protocol", "x"}}),
      {{":method", "GET"}, {"a", "b"}, {":scheme", "http"}, {":path", "/"}},
      Get({{"Upper", "x"}}),
      Get({{"", "x"}}),
      Get({{"a b", "x"}}),
      Get({{"x", std::string_view("a\nb", 3)}}),
      Get({{"x", std::string_view("a\0b", 3)}}),
      Get({{"connection", "close"}}),
      Get({{"transfer-encoding", "chunked"}}),
      Get({{"te", "gzip"}}),
      Get({{"content-length", "-1"}}),
      Get({{"content-length", "1x"}}),
      Get({{"content-length", "99999999999999999999"}}),
      Get({{"content-length", "1"}, {"content-length", "1"}}),
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(Judge(&builder, cases[i]), Verdict::kMalformed) << "case " << i;
  }
  EXPECT_EQ(Judge(&builder, Get()), Verdict::kFine) << "after all of them";
}

TEST(Http2HeadTest, TakesSpacesOffValues) {
  Http2HeadBuilder builder(1000);
  ASSERT_EQ(Judge(&builder, Get({{"token", " \tse cret "}, {"blank", "  "}})), Verdict::kFine);
  EXPECT_EQ(builder.head().fields[0].value, "se cret");
  EXPECT_EQ(builder.head().fields[1].value, "");
}

TEST(Http2HeadTest, SaysContentLength) {
  Http2HeadBuilder builder(1000);
  ASSERT_EQ(Judge(&builder, Get({{"content-length", "17"}})), Verdict::kFine);
  EXPECT_EQ(builder.content_length(), 17u);
  ASSERT_EQ(Judge(&builder, Get()), Verdict::kFine);
  EXPECT_FALSE(builder.content_length().has_value());
}

TEST(Http2HeadTest, TrailersHaveNoPseudoFields) {
  Http2HeadBuilder builder(1000);
  Judge(&builder, {{"checksum", "1"}});
  EXPECT_TRUE(builder.are_trailers());
  Judge(&builder, {{":path", "/"}, {"checksum", "1"}});
  EXPECT_FALSE(builder.are_trailers());
  Judge(&builder, {{"Checksum", "1"}});
  EXPECT_FALSE(builder.are_trailers());
}

TEST(Http2HeadTest, CutsLargeHeadsAndGivesUpOnHugeOnes) {
  Http2HeadBuilder builder(1000);
  const std::string large(900, 'a');
  EXPECT_EQ(Judge(&builder, Get({{"x", large}, {"y", "z"}})), Verdict::kFine);
  EXPECT_TRUE(builder.head().is_too_large);
  EXPECT_LE(builder.head().fields.size(), 1u);
  EXPECT_EQ(Judge(&builder, Get(Fields(20, {"x", large}))), Verdict::kFlood);
}

// HPACK says much in few bytes: the cut ends the work, too.
TEST(Http2HeadTest, DoesNotLookAtWhatIsCut) {
  Http2HeadBuilder builder(1000);
  const std::string broken = std::string(500, 'a') + "\n";
  EXPECT_EQ(Judge(&builder, Get({{"x", broken}})), Verdict::kMalformed);
  EXPECT_EQ(Judge(&builder, Get({{"x", std::string(900, 'a')}, {"y", broken}})), Verdict::kFine);
  EXPECT_TRUE(builder.head().is_too_large);
}

}  // namespace
}  // namespace pt::wire
