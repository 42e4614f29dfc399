#include "tensor/bytes_tensor.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace pt {
namespace {

std::string Encoded(const std::vector<std::string>& elements) {
  std::string bytes;
  for (const std::string& element : elements) AppendBytesElement(element, &bytes);
  return bytes;
}

TEST(BytesTensorTest, LengthsAreLittleEndian) {
  EXPECT_EQ(Encoded({std::string(258, 'x')}).substr(0, 4), std::string("\x02\x01\0\0", 4));
}

TEST(BytesTensorTest, ReadsWhatWasWritten) {
  const std::vector<std::string> elements = {"", "a", std::string("\0\xFF", 2),
                                             std::string(70000, 'z')};
  const std::vector<std::string_view> views(elements.begin(), elements.end());
  const Slice slice = EncodeBytes(views);
  ASSERT_TRUE(slice.owner);
  EXPECT_EQ(slice.view(), Encoded(elements));
  BytesReader reader(slice.view());
  for (const std::string& element : elements) EXPECT_EQ(reader.Next(), element);
  EXPECT_EQ(reader.Next(), std::nullopt);
  EXPECT_TRUE(reader.rest().empty());
}

TEST(BytesTensorTest, EncodesNoElements) {
  const Slice slice = EncodeBytes({});
  EXPECT_TRUE(slice.owner);
  EXPECT_TRUE(slice.empty());
}

TEST(CheckBytesTest, AcceptsTheExactCount) {
  EXPECT_EQ(CheckBytes(Encoded({"a", "", "bc"}), 3).fault, BytesFault::kNone);
  EXPECT_EQ(CheckBytes("", 0).fault, BytesFault::kNone);
}

TEST(CheckBytesTest, CountsTooFewAndTooMany) {
  const BytesCheck few = CheckBytes(Encoded({"a", "b"}), 3);
  EXPECT_EQ(few.fault, BytesFault::kTooFew);
  EXPECT_EQ(few.elements, 2);
  const BytesCheck many = CheckBytes(Encoded({"a", "b", "c", "d"}), 2);
  EXPECT_EQ(many.fault, BytesFault::kTooMany);
  EXPECT_EQ(many.elements, 2);
}

TEST(CheckBytesTest, SeesEveryTruncation) {
  const std::string whole = Encoded({"abc", "defg"});
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);  // exact heap size: a sanitizer sees overreads
    EXPECT_NE(CheckBytes(cut, 2).fault, BytesFault::kNone) << size;
  }
  const BytesCheck length = CheckBytes(whole.substr(0, 9), 2);
  EXPECT_EQ(length.fault, BytesFault::kCutLength);
  EXPECT_EQ(length.available, 2u);
  const BytesCheck element = CheckBytes(whole.substr(0, 13), 2);
  EXPECT_EQ(element.fault, BytesFault::kCutElement);
  EXPECT_EQ(element.expected, 4u);
  EXPECT_EQ(element.available, 2u);
}

TEST(CheckBytesTest, ReadsTheLargestLength) {
  const BytesCheck check = CheckBytes(std::string("\xFF\xFF\xFF\xFFxy", 6), 1);
  EXPECT_EQ(check.fault, BytesFault::kCutElement);
  EXPECT_EQ(check.expected, 4294967295u);
}

}  // namespace
}  // namespace pt
