#include "wire/content_coding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace pt::wire {
namespace {

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

DecompressOptions UpTo(size_t max_size) {
  DecompressOptions options;
  options.max_size = max_size;
  return options;
}

TEST(ContentCoding, ChoosesByQualityThenByOrder) {
  const struct {
    const char* header;
    ContentCoding expected;
  } kRows[] = {
      {"", ContentCoding::kIdentity},
      {"gzip", ContentCoding::kGzip},
      {"deflate, gzip", ContentCoding::kDeflate},
      {"deflate;q=0.5, gzip", ContentCoding::kGzip},
      {"gzip;q=0", ContentCoding::kIdentity},
      {"gzip;q=0.5,identity", ContentCoding::kIdentity},
      {"br, *", ContentCoding::kIdentity},
      {"GZIP", ContentCoding::kIdentity},
      {"gzip;q=x,deflate;q=0.1", ContentCoding::kDeflate},
      {"gzip;level=1", ContentCoding::kIdentity},
      {",,gzip,", ContentCoding::kGzip},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(ChooseContentCoding(row.header), row.expected) << row.header;
  }
}

TEST(ContentCoding, NamesAreCaseSensitive) {
  EXPECT_EQ(*ParseContentCoding(""), ContentCoding::kIdentity);
  EXPECT_EQ(*ParseContentCoding("identity"), ContentCoding::kIdentity);
  EXPECT_EQ(*ParseContentCoding("gzip"), ContentCoding::kGzip);
  for (const char* name : {"GZIP", "br", "gzip, deflate", " gzip"}) {
    const Result<ContentCoding> coding = ParseContentCoding(name);
    ASSERT_FALSE(coding.ok()) << name;
    EXPECT_EQ(coding.status().code(), Code::kUnsupported);
    EXPECT_EQ(coding.status().message(), "Unsupported compression type");
  }
}

TEST(ContentCoding, UnpacksWhatItPacked) {
  for (const ContentCoding coding : {ContentCoding::kGzip, ContentCoding::kDeflate}) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{5000}, size_t{300000}}) {
      const std::string text = Pattern(size);
      const size_t half = size / 2;
      const SliceList pieces = {Slice::Copy(text.substr(0, half)), Slice(),
                                Slice::Copy(text.substr(half))};
      const Result<Slice> packed = Compress(pieces, coding, nullptr);
      ASSERT_TRUE(packed.ok());
      const Result<Slice> unpacked = Decompress(packed->view(), UpTo(size));
      ASSERT_TRUE(unpacked.ok()) << unpacked.status().ToString();
      EXPECT_EQ(unpacked->view(), text);
    }
  }
}

TEST(ContentCoding, StopsABombAtTheLimit) {
  const std::string zeros(8 << 20, '\0');
  const Result<Slice> packed = Compress({Slice::Copy(zeros)}, ContentCoding::kGzip, nullptr);
  ASSERT_TRUE(packed.ok());
  ASSERT_LT(packed->size, zeros.size() / 100);
  EXPECT_TRUE(Decompress(packed->view(), UpTo(zeros.size())).ok());
  const Result<Slice> refused = Decompress(packed->view(), UpTo(zeros.size() - 1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kTooLarge);
}

TEST(ContentCoding, RefusesDamagedAndCutStreams) {
  const std::string text = Pattern(2000);
  const Result<Slice> packed = Compress({Slice::Copy(text)}, ContentCoding::kGzip, nullptr);
  ASSERT_TRUE(packed.ok());
  const std::string whole(packed->view());
  EXPECT_EQ(Decompress("", UpTo(10)).status().message(), "nothing to be decompressed");
  EXPECT_EQ(Decompress("hello", UpTo(10)).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(Decompress(whole + "x", UpTo(9999)).status().code(), Code::kInvalidArgument);
  for (const size_t cut : {size_t{1}, size_t{9}, size_t{20}, whole.size() - 1}) {
    EXPECT_EQ(Decompress(whole.substr(0, cut), UpTo(9999)).status().code(), Code::kInvalidArgument)
        << cut;
  }
}

TEST(ContentCoding, JoinsGzipMembers) {
  const Result<Slice> one = Compress({Slice::Copy("one")}, ContentCoding::kGzip, nullptr);
  const Result<Slice> two = Compress({Slice::Copy("two")}, ContentCoding::kGzip, nullptr);
  const std::string both = std::string(one->view()) + std::string(two->view());
  const Result<Slice> text = Decompress(both, UpTo(100));
  ASSERT_TRUE(text.ok()) << text.status().ToString();
  EXPECT_EQ(text->view(), "onetwo");
}

TEST(ContentCoding, PutsTheAskedByteOnA64ByteBoundary) {
  const Result<Slice> packed =
      Compress({Slice::Copy(std::string(1000, 'a'))}, ContentCoding::kGzip, nullptr);
  for (const size_t offset : {size_t{0}, size_t{1}, size_t{64}, size_t{230}}) {
    DecompressOptions options = UpTo(1000);
    options.align_offset = offset;
    const Result<Slice> text = Decompress(packed->view(), options);
    ASSERT_TRUE(text.ok());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(text->data + offset) % 64, 0u) << offset;
  }
}

}  // namespace
}  // namespace pt::wire
