#include "wire/grpc_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pt::wire {
namespace {

using Kind = GrpcPiece::Kind;

std::string Framed(std::string_view message, bool is_compressed = false) {
  const auto prefix = GrpcPrefix(static_cast<uint32_t>(message.size()), is_compressed);
  return std::string(prefix.data(), prefix.size()).append(message);
}

// All messages of `stream`, given in chunks of `step` bytes.
std::vector<std::string> Deframe(std::string_view stream, size_t step, bool* is_at_boundary) {
  GrpcDeframer deframer;
  std::vector<std::string> messages;
  std::string current;
  for (size_t i = 0; i < stream.size(); i += step) {
    std::string_view chunk = stream.substr(i, step);
    for (;;) {
      const GrpcPiece piece = deframer.Next(&chunk);
      if (piece.kind == Kind::kNone) break;
      if (piece.kind == Kind::kBad) return {"bad"};
      if (piece.kind == Kind::kWhole) messages.emplace_back(piece.bytes);
      if (piece.kind == Kind::kBegin) current.clear();
      if (piece.kind == Kind::kPart) current.append(piece.bytes);
      if (piece.kind == Kind::kEnd) messages.push_back(current);
    }
  }
  *is_at_boundary = deframer.is_at_boundary();
  return messages;
}

TEST(GrpcFrameTest, DeframesTheSameInAnyChunks) {
  const std::vector<std::string> messages{"first", "", std::string(300, 'x'), "last"};
  std::string stream;
  for (const std::string& message : messages) stream += Framed(message);
  for (size_t step = 1; step <= stream.size(); ++step) {
    bool is_at_boundary = false;
    EXPECT_EQ(Deframe(stream, step, &is_at_boundary), messages) << step;
    EXPECT_TRUE(is_at_boundary) << step;
  }
}

TEST(GrpcFrameTest, WholeMessageIsAViewOfTheChunk) {
  const std::string stream = Framed("abc", true) + Framed("de");
  std::string_view chunk = stream;
  GrpcDeframer deframer;
  GrpcPiece piece = deframer.Next(&chunk);
  EXPECT_EQ(piece.kind, Kind::kWhole);
  EXPECT_TRUE(piece.is_compressed);
  EXPECT_EQ(piece.bytes.data(), stream.data() + 5);
  piece = deframer.Next(&chunk);
  EXPECT_EQ(piece.bytes, "de");
  EXPECT_FALSE(piece.is_compressed);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kNone);
}

TEST(GrpcFrameTest, AnnouncesTheSizeOfASpreadMessage) {
  const std::string stream = Framed(std::string(1000, 'x'), true);
  std::string_view chunk = std::string_view(stream).substr(0, 100);
  GrpcDeframer deframer;
  GrpcPiece piece = deframer.Next(&chunk);
  EXPECT_EQ(piece.kind, Kind::kBegin);
  EXPECT_EQ(piece.size, 1000u);
  EXPECT_TRUE(piece.is_compressed);
  EXPECT_EQ(deframer.Next(&chunk).bytes.size(), 95u);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kNone);
  EXPECT_FALSE(deframer.is_at_boundary());
}

TEST(GrpcFrameTest, BytesOfAMessageMayBeTakenElsewhere) {
  const std::string stream = Framed(std::string(100, 'x')).substr(0, 25);
  std::string_view chunk = stream;
  GrpcDeframer deframer;
  EXPECT_EQ(deframer.body_left(), 0u);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kBegin);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kPart);
  EXPECT_EQ(deframer.body_left(), 80u);
  deframer.SkipBody(79);
  EXPECT_EQ(deframer.body_left(), 1u);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kNone);
  deframer.SkipBody(1);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kEnd);
  EXPECT_TRUE(deframer.is_at_boundary());
}

TEST(GrpcFrameTest, HalfAPrefixIsNoBoundary) {
  bool is_at_boundary = true;
  Deframe(std::string_view("\0\0\0", 3), 1, &is_at_boundary);
  EXPECT_FALSE(is_at_boundary);
}

TEST(GrpcFrameTest, UnknownFlagIsBadForGood) {
  GrpcDeframer deframer;
  std::string_view chunk("\x02\0\0\0\0\0\0\0\0\0", 10);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kBad);
  EXPECT_EQ(deframer.Next(&chunk).kind, Kind::kBad);
  deframer.Reset();
  EXPECT_TRUE(deframer.is_at_boundary());
}

TEST(GrpcFrameTest, PrefixIsBigEndian) {
  const auto prefix = GrpcPrefix(0x01020304, true);
  EXPECT_EQ(std::string(prefix.data(), prefix.size()), std::string("\x01\x01\x02\x03\x04", 5));
}

TEST(GrpcFrameTest, ParsesTimeouts) {
  using std::chrono::nanoseconds;
  const struct {
    std::string_view text;
    int64_t ns;
  } rows[] = {{"1n", 1},           {"2u", 2000},          {"3m", 3000000}, {"4S", 4000000000},
              {"1M", 60000000000}, {"1H", 3600000000000}, {"0S", 0},       {"99999999n", 99999999}};
  for (const auto& row : rows) {
    const auto timeout = ParseGrpcTimeout(row.text);
    ASSERT_TRUE(timeout.has_value()) << row.text;
    EXPECT_EQ(*timeout, nanoseconds(row.ns)) << row.text;
  }
  EXPECT_GT(*ParseGrpcTimeout("99999999H"), std::chrono::hours(24 * 365));
}

TEST(GrpcFrameTest, RefusesOtherTimeouts) {
  for (const std::string_view text :
       {"", "S", "1", "1s", "-1S", "1.5S", "123456789S", " 1S", "1S "}) {
    EXPECT_FALSE(ParseGrpcTimeout(text).has_value()) << text;
  }
}

TEST(GrpcFrameTest, PercentEncodesMessages) {
  EXPECT_EQ(EncodeGrpcMessage("plain text, 'x'", 100), "plain text, 'x'");
  EXPECT_EQ(EncodeGrpcMessage("50% \n", 100), "50%25 %0A");
  EXPECT_EQ(EncodeGrpcMessage("\xC3\xA4", 100), "%C3%A4");
}

TEST(GrpcFrameTest, CutsMessagesBetweenCharacters) {
  EXPECT_EQ(EncodeGrpcMessage("abcdef", 3), "abc");
  EXPECT_EQ(EncodeGrpcMessage("a\xC3\xA4", 6), "a");
  EXPECT_EQ(EncodeGrpcMessage("a\xC3\xA4", 7), "a%C3%A4");
  EXPECT_EQ(EncodeGrpcMessage("\xC3", 3), "%C3");
}

TEST(GrpcFrameTest, KnowsGrpcContentTypes) {
  EXPECT_TRUE(IsGrpcContentType("application/grpc"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc+proto"));
  EXPECT_TRUE(IsGrpcContentType("application/grpc;charset=utf-8"));
  EXPECT_FALSE(IsGrpcContentType("application/grpc-web"));
  EXPECT_FALSE(IsGrpcContentType("application/json"));
  EXPECT_FALSE(IsGrpcContentType(""));
}

TEST(GrpcFrameTest, ChoosesEncodings) {
  EXPECT_EQ(ParseGrpcEncoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(ParseGrpcEncoding("gzip"), ContentCoding::kGzip);
  EXPECT_EQ(ParseGrpcEncoding("snappy"), std::nullopt);
  EXPECT_EQ(ChooseGrpcEncoding("identity, deflate, gzip"), ContentCoding::kGzip);
  EXPECT_EQ(ChooseGrpcEncoding("identity,deflate"), ContentCoding::kDeflate);
  EXPECT_EQ(ChooseGrpcEncoding("identity"), ContentCoding::kIdentity);
  EXPECT_EQ(ChooseGrpcEncoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(ChooseGrpcEncoding("xgzip,,"), ContentCoding::kIdentity);
}

}  // namespace
}  // namespace pt::wire
