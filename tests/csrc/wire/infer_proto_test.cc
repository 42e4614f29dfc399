#include "wire/infer_proto.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

#include "wire/infer_proto_compare.h"
#include "wire/proto_writer.h"

namespace pt::wire {
namespace {

using inference::ModelInferRequest;
using test::CompareAssembled;
using test::CompareWhole;

void FillParameters(test::ProtoParameters* parameters) {
  (*parameters)["flag"].set_bool_param(true);
  (*parameters)["off"].set_bool_param(false);
  (*parameters)["minus"].set_int64_param(-5);
  (*parameters)["least"].set_int64_param(std::numeric_limits<int64_t>::min());
  (*parameters)["text"].set_string_param("grüße");
  (*parameters)["empty text"].set_string_param("");
  (*parameters)["real"].set_double_param(-0.1);
  (*parameters)["most"].set_uint64_param(std::numeric_limits<uint64_t>::max());
  (*parameters)["unset"];
}

void FillContents(inference::InferTensorContents* contents) {
  for (const bool flag : {true, false, true}) contents->add_bool_contents(flag);
  for (const int32_t v : {0, -1, 300, std::numeric_limits<int32_t>::min()}) {
    contents->add_int_contents(v);
  }
  for (const int64_t v : {int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    contents->add_int64_contents(v);
  }
  for (const uint32_t v : {0u, 70000u, 0xffffffffu}) contents->add_uint_contents(v);
  contents->add_uint64_contents(std::numeric_limits<uint64_t>::max());
  for (const float v : {0.1f, -0.0f}) contents->add_fp32_contents(v);
  contents->add_fp64_contents(1e300);
  for (const char* v : {"", "a", "hello"}) contents->add_bytes_contents(v);
}

// Every field of the schema, more of each than fits inside the view.
ModelInferRequest FullRequest() {
  ModelInferRequest request;
  request.set_model_name("model");
  request.set_model_version("12");
  request.set_id("ein Bezeichner, länger als acht");
  FillParameters(request.mutable_parameters());
  for (int i = 0; i < 10; ++i) {
    auto* input = request.add_inputs();
    input->set_name("in" + std::to_string(i));
    input->set_datatype("FP32");
    for (const int64_t dim : {int64_t{i}, int64_t{-1}, int64_t{1} << 40, int64_t{0}, int64_t{7}}) {
      input->add_shape(dim);
    }
    if (i % 3 == 0) FillParameters(input->mutable_parameters());
    if (i % 2 == 0) FillContents(input->mutable_contents());
    auto* output = request.add_outputs();
    output->set_name("out" + std::to_string(i));
    if (i % 4 == 0) (*output->mutable_parameters())["classification"].set_int64_param(i);
    request.add_raw_input_contents(std::string(static_cast<size_t>(i), static_cast<char>(i)));
  }
  return request;
}

std::string Tag(uint32_t field, WireType type) {
  return {static_cast<char>(field << 3 | static_cast<uint32_t>(type))};
}

std::string Bytes(uint32_t field, const std::string& bytes) {
  std::string out(BytesFieldSize(bytes.size()), '\0');
  ProtoWriter(out.data()).Bytes(field, bytes);
  return out;
}

TEST(ParseInferRequest, FindsEveryField) {
  EXPECT_EQ(CompareWhole(FullRequest().SerializeAsString()), "");
}

TEST(ParseInferRequest, AcceptsNothingAtAll) { EXPECT_EQ(CompareWhole(""), ""); }

TEST(ParseInferRequest, AgreesOnEveryTruncation) {
  const std::string message = FullRequest().SerializeAsString();
  for (size_t size = 0; size < message.size(); ++size) {
    ASSERT_EQ(CompareWhole(std::string_view(message).substr(0, size)), "") << size;
  }
}

TEST(ParseInferRequest, AgreesOnEveryChangedByte) {
  const std::string message = FullRequest().SerializeAsString();
  for (size_t i = 0; i < message.size(); ++i) {
    for (const char change : {'\x01', '\x07', '\x08', '\x7f', '\x80', '\xff'}) {
      std::string changed = message;
      changed[i] = static_cast<char>(changed[i] ^ change);
      ASSERT_EQ(CompareWhole(changed), "") << "byte " << i << " ^ " << int{change};
    }
  }
}

TEST(ParseInferRequest, AgreesOnRandomFields) {
  std::mt19937 random(7);  // NOLINT: the same every run
  for (int round = 0; round < 20000; ++round) {
    std::string message;
    const size_t size = random() % 40;
    while (message.size() < size) {
      // Plausible tags and lengths get deeper than random bytes do.
      message +=
          static_cast<char>(random() % 3 == 0 ? random() : (random() % 9) << 3 | random() % 6);
      if (random() % 2 == 0) message += static_cast<char>(random() % 8);
    }
    ASSERT_EQ(CompareWhole(message), "") << round;
    ASSERT_EQ(CompareWhole(Bytes(5, message) + Bytes(4, message) + Bytes(6, message)), "") << round;
    ASSERT_EQ(CompareWhole(Bytes(5, Bytes(5, message))), "") << round;
  }
}

TEST(ParseInferRequest, TakesUnpackedAndMixedShapes) {
  const std::string unpacked = Tag(3, WireType::kVarint) + "\x02";
  const std::string packed = Bytes(3, "\x03\x04");
  EXPECT_EQ(CompareWhole(Bytes(5, unpacked + packed + unpacked)), "");
}

TEST(ParseInferRequest, JoinsContentsSentInPieces) {
  const std::string one = Bytes(5, Bytes(2, "\x01\x02"));
  const std::string two = Bytes(5, Tag(2, WireType::kVarint) + "\x03");
  EXPECT_EQ(CompareWhole(Bytes(5, one + two + one)), "");
}

TEST(ParseInferRequest, SkipsUnknownFieldsOfEveryWireType) {
  const std::string unknown = Tag(9, WireType::kVarint) + "\x7f" + Tag(9, WireType::kFixed32) +
                              "abcd" + Tag(9, WireType::kFixed64) + "abcdefgh" + Bytes(9, "xyz") +
                              Tag(9, WireType::kGroupStart) + Tag(7, WireType::kVarint) + "\x01" +
                              Tag(9, WireType::kGroupEnd);
  const std::string message = unknown + Bytes(1, "m") + unknown + Bytes(5, unknown + Bytes(1, "i"));
  EXPECT_EQ(CompareWhole(message), "");
  InferRequestView view;
  ASSERT_TRUE(ParseInferRequest(message, &view).ok());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(view.inputs[0].name, "i");
}

TEST(ParseInferRequest, SkipsKnownFieldsOfAnotherWireType) {
  EXPECT_EQ(CompareWhole(Tag(1, WireType::kVarint) + "\x05" + Tag(5, WireType::kFixed32) + "abcd"),
            "");
}

TEST(ParseInferRequest, BoundsTheDepthOfGroups) {
  for (const size_t depth : {1, 50, 99, 100, 101, 5000}) {
    std::string message;
    for (size_t i = 0; i < depth; ++i) message += Tag(9, WireType::kGroupStart);
    for (size_t i = 0; i < depth; ++i) message += Tag(9, WireType::kGroupEnd);
    EXPECT_EQ(CompareWhole(message), "") << depth;
    EXPECT_EQ(CompareWhole(Bytes(5, message)), "") << depth;
    EXPECT_EQ(CompareWhole(Bytes(5, Bytes(5, message))), "") << depth;
    EXPECT_EQ(CompareWhole(Bytes(4, Bytes(2, message))), "") << depth;
  }
}

TEST(ParseInferRequest, RefusesGroupsThatDoNotMatch) {
  const std::string messages[] = {
      Tag(9, WireType::kGroupEnd),
      Tag(9, WireType::kGroupStart),
      Tag(9, WireType::kGroupStart) + Tag(8, WireType::kGroupEnd),
      Bytes(5, Tag(9, WireType::kGroupStart)) + Tag(9, WireType::kGroupEnd),
  };
  for (const std::string& message : messages) {
    InferRequestView view;
    EXPECT_FALSE(ParseInferRequest(message, &view).ok());
    EXPECT_EQ(CompareWhole(message), "");
  }
}

TEST(ParseInferRequest, AgreesOnOverlongVarints) {
  for (size_t bytes = 1; bytes <= 12; ++bytes) {
    const std::string varint = std::string(bytes - 1, '\x80') + '\x01';
    const std::string most = std::string(bytes - 1, '\xff') + '\x7f';
    for (const std::string& v : {varint, most}) {
      EXPECT_EQ(CompareWhole(Tag(9, WireType::kVarint) + v), "") << bytes;
      EXPECT_EQ(CompareWhole(Bytes(5, Bytes(3, v))), "") << bytes;
      EXPECT_EQ(CompareWhole(Tag(1, WireType::kBytes) + v + "m"), "") << bytes;
      EXPECT_EQ(CompareWhole(v + "\x01m"), "") << bytes;
    }
  }
}

TEST(ParseInferRequest, RefusesLengthsBeyondTheMessage) {
  for (const char* length : {"\x02", "\xff\x7f", "\xff\xff\xff\xff\x07", "\xff\xff\xff\xff\x0f"}) {
    const std::string message = Tag(7, WireType::kBytes) + length + "a";
    InferRequestView view;
    const Status status = ParseInferRequest(message, &view);
    EXPECT_EQ(status.code(), Code::kInternal);
    EXPECT_EQ(status.message(), "Unable to parse request");
    EXPECT_EQ(CompareWhole(message), "");
  }
}

TEST(ParseInferRequest, RefusesTextThatIsNotUtf8) {
  const std::string bad[] = {"\x80",         "\xc0\x80",         "\xc2",         "\xed\xa0\x80",
                             "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80", "abcdefgh\xff"};
  for (const std::string& text : bad) {
    EXPECT_FALSE(IsUtf8(text));
    for (const uint32_t field : {1u, 2u, 3u}) EXPECT_EQ(CompareWhole(Bytes(field, text)), "");
    InferRequestView view;
    EXPECT_FALSE(ParseInferRequest(Bytes(1, text), &view).ok());
  }
  EXPECT_TRUE(IsUtf8("\xf4\x8f\xbf\xbf and \xed\x9f\xbf"));
}

TEST(ParseInferRequest, TheLastOfEqualKeysCounts) {
  const auto entry = [](const std::string& value) {
    return Bytes(4, Bytes(1, "k") + Bytes(2, Bytes(3, value)));
  };
  EXPECT_EQ(CompareWhole(entry("first") + entry("second")), "");
}

TEST(ParseInferRequest, RefusesTensorsWithoutEnd) {
  for (const uint32_t field : {5u, 6u, 7u}) {
    std::string message;
    for (size_t i = 0; i < kMaxRequestTensors; ++i) message += Bytes(field, "");
    InferRequestView most;
    EXPECT_TRUE(ParseInferRequest(message, &most).ok()) << field;
    message += Bytes(field, "");
    InferRequestView more;
    EXPECT_FALSE(ParseInferRequest(message, &more).ok()) << field;
    BlockPool pool;
    InferRequestAssembler assembler(static_cast<uint32_t>(message.size()), &pool);
    assembler.Append(message);
    EXPECT_EQ(assembler.Finish().ok(), field != 7) << field;
  }
}

TEST(InferRequestAssembler, IsIndifferentToWhereAMessageIsCut) {
  ModelInferRequest request = FullRequest();
  *request.mutable_raw_input_contents(2) = std::string(InferRequestAssembler::kPlaceBytes, 'p');
  *request.mutable_raw_input_contents(5) = std::string(InferRequestAssembler::kPlaceBytes - 1, 'h');
  *request.mutable_raw_input_contents(9) = std::string(5000, 'q');
  const std::string message = request.SerializeAsString();
  BlockPool pool;
  for (size_t cut = 0; cut <= message.size(); ++cut) {
    ASSERT_EQ(CompareAssembled(message, cut, &pool), "") << cut;
  }
}

TEST(InferRequestAssembler, TakesSingleBytes) {
  const std::string message = FullRequest().SerializeAsString();
  BlockPool pool;
  InferRequestAssembler assembler(static_cast<uint32_t>(message.size()), &pool);
  for (const char& byte : message) assembler.Append({&byte, 1});
  const Result<InferRequestBytes> bytes = assembler.Finish();
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes->head.view(), message);
}

TEST(InferRequestAssembler, AlignsLargeTensors) {
  const std::string tensor(100000, 'x');
  const std::string message = Bytes(1, "odd") + Bytes(7, "small") + Bytes(7, tensor);
  BlockPool pool;
  InferRequestAssembler assembler(static_cast<uint32_t>(message.size()), &pool);
  assembler.Append(message);
  const Result<InferRequestBytes> bytes = assembler.Finish();
  ASSERT_TRUE(bytes.ok());
  InferRequestView view;
  ASSERT_TRUE(ParseInferRequest(bytes->head.view(), &view).ok());
  EXPECT_EQ(bytes->RawInput(view, 0).view(), "small");
  const Slice placed = bytes->RawInput(view, 1);
  EXPECT_EQ(placed.view(), tensor);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(placed.data) % 64, 0u);
  EXPECT_LT(bytes->head.size, 100u);
}

TEST(InferRequestAssembler, BytesMayBeWrittenWhereTheyBelong) {
  std::string tensor(100000, 'x');
  for (size_t i = 0; i < tensor.size(); ++i) tensor[i] = static_cast<char>(i * 131 >> 3);
  const std::string message =
      Bytes(1, "m") + Bytes(7, tensor) + Bytes(7, "small") + Bytes(7, tensor);
  BlockPool pool;
  InferRequestAssembler assembler(static_cast<uint32_t>(message.size()), &pool);
  size_t placed = 0;
  for (size_t at = 0; at < message.size();) {
    const std::span<char> place = assembler.place();
    const size_t count =
        std::min({place.empty() ? size_t{7} : place.size(), size_t{777}, message.size() - at});
    if (place.empty()) {
      assembler.Append(std::string_view(message).substr(at, count));
    } else {
      std::copy_n(message.data() + at, count, place.data());
      assembler.Placed(count);
      placed += count;
    }
    at += count;
  }
  const Result<InferRequestBytes> bytes = assembler.Finish();
  ASSERT_TRUE(bytes.ok());
  InferRequestView view;
  ASSERT_TRUE(ParseInferRequest(bytes->head.view(), &view).ok());
  EXPECT_EQ(bytes->RawInput(view, 0).view(), tensor);
  EXPECT_EQ(bytes->RawInput(view, 1).view(), "small");
  EXPECT_EQ(bytes->RawInput(view, 2).view(), tensor);
  EXPECT_GT(placed, 199000u);
}

TEST(InferRequestAssembler, AgreesOnEveryChangedByteAndCut) {
  const std::string message = Bytes(1, "m") + Bytes(5, Bytes(1, "a") + Bytes(3, "\x04")) +
                              Tag(9, WireType::kGroupStart) + Bytes(7, "g") +
                              Tag(9, WireType::kGroupEnd) + Bytes(7, "raw") +
                              Tag(9, WireType::kFixed64) + "12345678";
  BlockPool pool;
  for (size_t i = 0; i < message.size(); ++i) {
    for (int change = 1; change < 256; ++change) {
      std::string changed = message;
      changed[i] = static_cast<char>(changed[i] ^ change);
      ASSERT_EQ(CompareAssembled(changed, i, &pool), "") << "byte " << i << " ^ " << change;
    }
  }
}

TEST(InferRequestAssembler, AllocatesNothingForALengthThatCanNotCome) {
  BlockPool pool;
  InferRequestAssembler assembler(70000, &pool);
  assembler.Append(Tag(7, WireType::kBytes) + "\xff\xff\xff\x7f");  // 256 MB announced in 70 KB
  EXPECT_EQ(pool.live_blocks(), 0u);
  EXPECT_FALSE(assembler.Finish().ok());
}

TEST(InferRequestAssembler, RefusesMoreAndLessThanAnnounced) {
  BlockPool pool;
  InferRequestAssembler more(3, &pool);
  more.Append(Bytes(1, "ab"));
  EXPECT_FALSE(more.Finish().ok());
  InferRequestAssembler less(5, &pool);
  less.Append(Bytes(1, "ab"));
  EXPECT_FALSE(less.Finish().ok());
}

}  // namespace
}  // namespace pt::wire
