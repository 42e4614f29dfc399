#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "wire/hpack_decoder.h"
#include "wire/hpack_encoder.h"

namespace pt::wire {
namespace {

constexpr std::array<Http2Field, 2> kHead{
    {{":status", "200"}, {"content-type", "application/grpc"}}};
constexpr std::array<Http2Field, 1> kStatusOnly{{{"grpc-status", "0"}}};

// A block as libnghttp2 reads it: "name: value\n" for each field; "" when it is none.
class Inflater {
 public:
  Inflater() { nghttp2_hd_inflate_new(&inflater_); }
  ~Inflater() { nghttp2_hd_inflate_del(inflater_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // From now on it must be told that the table is smaller.
  void Shrink(size_t table) { nghttp2_hd_inflate_change_table_size(inflater_, table); }
  std::string Read(std::string_view block) {
    std::string text;
    const auto* at = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (used < 0) return "";
      at += used;
      left -= static_cast<size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        text.append(reinterpret_cast<char*>(field.name), field.namelen).append(": ");
        text.append(reinterpret_cast<char*>(field.value), field.valuelen).append("\n");
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return text;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

std::string Static(HpackEncoder* encoder, std::span<const Http2Field> fields) {
  std::string block;
  encoder->EncodeStatic(fields, &block);
  return block;
}

TEST(HpackEncoderTest, SaysWhatIsSentAlwaysInAByte) {
  HpackEncoder encoder;
  Inflater client;
  for (int i = 0; i < 3; ++i) {
    const std::string head = Static(&encoder, kHead);
    const std::string trailers = Static(&encoder, kStatusOnly);
    EXPECT_EQ(client.Read(head), ":status: 200\ncontent-type: application/grpc\n");
    EXPECT_EQ(client.Read(trailers), "grpc-status: 0\n");
    if (i > 0) {
      EXPECT_EQ(head.size(), 2u);
      EXPECT_EQ(trailers.size(), 1u);
    }
  }
}

TEST(HpackEncoderTest, SpellsOutWhatIsSaidOnce) {
  const std::string long_value(20000, 'x');
  const std::vector<Http2Field> fields{
      {":status", "503"},     {":status", "404"}, {"content-length", "1234"},
      {"x-name", long_value}, {"empty", ""},      {"allow", "POST"}};
  std::string block;
  HpackEncoder::EncodeOnce(fields, &block);
  Inflater client;
  for (int i = 0; i < 2; ++i) {  // it left the table as it was
    EXPECT_EQ(client.Read(block), ":status: 503\n:status: 404\ncontent-length: 1234\nx-name: " +
                                      long_value + "\nempty: \nallow: POST\n");
  }
}

TEST(HpackEncoderTest, KeepsToASmallerTable) {
  HpackEncoder encoder;
  Inflater client;
  EXPECT_NE(client.Read(Static(&encoder, kHead)), "");
  client.Shrink(50);
  encoder.SetTableLimit(50);  // room for grpc-status, not for content-type
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(client.Read(Static(&encoder, kStatusOnly)), "grpc-status: 0\n");
    EXPECT_EQ(client.Read(Static(&encoder, kHead)),
              ":status: 200\ncontent-type: application/grpc\n");
  }
  client.Shrink(0);
  encoder.SetTableLimit(0);
  std::string once;
  encoder.BeginBlock(&once);
  HpackEncoder::EncodeOnce(kStatusOnly, &once);
  EXPECT_EQ(client.Read(once), "grpc-status: 0\n");
  EXPECT_EQ(client.Read(Static(&encoder, kStatusOnly)), "grpc-status: 0\n");
}

TEST(HpackEncoderTest, NeverFillsTheTableUp) {
  HpackEncoder encoder;
  Inflater client;
  std::vector<std::string> values;
  for (int i = 0; i < 200; ++i) values.push_back("value " + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    for (const std::string& value : values) {
      const std::array<Http2Field, 1> field{{{"x-name", value}}};
      EXPECT_EQ(client.Read(Static(&encoder, field)), "x-name: " + value + "\n");
    }
  }
}

// A client's blocks, by libnghttp2.
class Deflater {
 public:
  Deflater() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string Write(const std::vector<Http2Field>& fields) {
    std::vector<nghttp2_nv> list;
    for (const Http2Field& field : fields) {
      list.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(field.name.data())),
                      reinterpret_cast<uint8_t*>(const_cast<char*>(field.value.data())),
                      field.name.size(), field.value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string block(nghttp2_hd_deflate_bound(deflater_, list.data(), list.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(block.data()),
                                               block.size(), list.data(), list.size());
    block.resize(static_cast<size_t>(size));
    return block;
  }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

std::vector<Http2Field> Post(std::string_view path) {
  return {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {"token", "abc"}};
}

TEST(HpackDecoderTest, RecallsBlocksWhileTheyMeanTheSame) {
  const auto decoder = HpackDecoder::Create(1000);
  Deflater client;
  const std::vector<std::string> paths{"/a", "/b", "/c", "/d", "/e", "/f"};
  for (int round = 0; round < 4; ++round) {
    for (const std::string& path : paths) {
      ASSERT_TRUE(decoder->Read(client.Write(Post(path)), true, true).ok());
      EXPECT_EQ(decoder->head().head().path, path);
      EXPECT_EQ(decoder->head().head().fields[0].value, "abc");
      EXPECT_FALSE(decoder->is_malformed());
    }
  }
}

// Each new token moves the indices of the table, so that the same bytes mean something else.
TEST(HpackDecoderTest, ForgetsBlocksWhenTheTableChanges) {
  const auto decoder = HpackDecoder::Create(1000);
  Deflater client;
  for (int i = 0; i < 200; ++i) {
    const std::string token = "token " + std::to_string(i);
    const std::vector<Http2Field> fields{
        {":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {"token", token}};
    for (int again = 0; again < 3; ++again) {
      ASSERT_TRUE(decoder->Read(client.Write(fields), true, true).ok());
      EXPECT_EQ(decoder->head().head().fields[0].value, token);
    }
  }
}

TEST(HpackDecoderTest, ReadsBlocksInPieces) {
  const auto decoder = HpackDecoder::Create(1000);
  Deflater client;
  for (const char* path : {"/first", "/first", "/second"}) {
    const std::string block = client.Write(Post(path));
    for (size_t i = 0; i < block.size(); ++i) {
      const bool is_last = i + 1 == block.size();
      ASSERT_TRUE(decoder->Read(block.substr(i, 1), i == 0, is_last).ok());
    }
    EXPECT_EQ(decoder->head().head().path, path);
  }
}

TEST(HpackDecoderTest, RefusesWhatIsNoHpack) {
  for (const std::string& block : {std::string("\xff\xff\xff\xff\xff\xff\xff"), std::string("\xbe"),
                                   std::string("\x40\x7f"), std::string("\x80")}) {
    const auto decoder = HpackDecoder::Create(1000);
    EXPECT_EQ(decoder->Read(block, true, true).error, Http2Error::kCompression);
  }
}

TEST(HpackDecoderTest, MalformedHeadsStayMalformedWhenRecalled) {
  const auto decoder = HpackDecoder::Create(1000);
  const std::string only_method("\x83", 1);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(decoder->Read(only_method, true, true).ok());
    EXPECT_TRUE(decoder->is_malformed());
  }
}

}  // namespace
}  // namespace pt::wire
