#include "wire/http2_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/http2_frames_fixture.h"

namespace pt::wire {
namespace {

std::string Greeting() { return std::string(kHttp2Preface) + Frame(Type::kSettings, 0, 0, ""); }

// Writes down what it is told, one line each.
class Http2ReaderTest : public ::testing::Test, public Http2FrameSink {
 protected:
  Http2Fault OnFrame(const Http2FrameHead&) override {
    ++frames_;
    return {};
  }
  Http2Fault OnControl(const Http2FrameHead& frame, std::string_view payload) override {
    log_ += "control " + std::to_string(static_cast<int>(frame.type)) + " " +
            std::to_string(payload.size()) + "\n";
    return {};
  }
  Http2Fault OnBlock(const Http2FrameHead& frame, const BlockPiece& piece) override {
    if (piece.is_first) block_.clear();
    block_ += piece.bytes;
    if (piece.is_last) log_ += "block " + std::to_string(frame.stream_id) + " " + block_ + "\n";
    return {};
  }
  Http2Fault OnDataFrame(const Http2FrameHead& frame) override {
    log_ += "data " + std::to_string(frame.size) + " ";
    return {};
  }
  Http2Fault OnDataPiece(std::string_view bytes) override {
    log_ += bytes;
    return {};
  }
  Http2Fault OnDataEnd(const Http2FrameHead&) override {
    log_ += " end\n";
    return {};
  }

  // Feeds `bytes` in pieces, to a new reader; what was written down.
  std::string Told(std::string_view bytes, size_t piece) {
    log_.clear();
    Http2Reader reader(1000, this);
    for (size_t i = 0; i < bytes.size(); i += piece) {
      fault_ = reader.Read(bytes.substr(i, piece));
      if (!fault_.ok()) break;
    }
    return log_;
  }

  int frames_ = 0;
  std::string log_;
  std::string block_;
  Http2Fault fault_;
};

TEST_F(Http2ReaderTest, TellsTheSameHoweverTheBytesAreCut) {
  const uint8_t end_headers = kHttp2EndHeaders;
  const std::string bytes =
      Greeting() + Frame(Type::kHeaders, 0, 1, "head") + Frame(Type::kContinuation, 0, 1, "") +
      Frame(Type::kContinuation, end_headers, 1, " more") +
      Frame(Type::kHeaders, end_headers | kHttp2Padded | kHttp2Priority, 3,
            std::string("\3") + "prio!" + "padded" + std::string(3, '\0')) +
      Frame(Type::kData, 0, 1, "body") + Frame(Type::kData, 0, 1, "") +
      Frame(Type::kData, kHttp2Padded, 1, std::string("\2") + "ab" + "xx") +
      Frame(Type::kData, kHttp2Padded, 1, std::string("\1") + "x") +
      Frame(static_cast<Type>(77), 0, 1, "nobody knows") + Frame(Type::kPing, 0, 0, "12345678") +
      Frame(Type::kGoAway, 0, 0, "12345678 and why") + Frame(Type::kWindowUpdate, 0, 0, "1234") +
      Frame(Type::kHeaders, end_headers, 5, "");
  const std::string expected =
      "control 4 0\nblock 1 head more\nblock 3 padded\ndata 4 body end\ndata 0  end\n"
      "data 5 ab end\ndata 2  end\ncontrol 6 8\ncontrol 7 8\ncontrol 8 4\nblock 5 \n";
  for (const size_t piece :
       {size_t{1}, size_t{2}, size_t{7}, size_t{9}, size_t{50}, size_t{10000}}) {
    EXPECT_EQ(Told(bytes, piece), expected) << "in pieces of " << piece;
    EXPECT_TRUE(fault_.ok()) << fault_.reason;
  }
}

struct Refused {
  const char* name;
  std::string bytes;
  Http2Error error;
};

TEST_F(Http2ReaderTest, RefusesFramesThatCanNotBe) {
  const std::string hi = Greeting();
  const std::vector<Refused> cases{
      {"no preface", "GET / HTTP/1.1\r\n\r\n", Http2Error::kProtocol},
      {"no settings first", std::string(kHttp2Preface) + Frame(Type::kPing, 0, 0, "12345678"),
       Http2Error::kProtocol},
      {"an acknowledgement first",
       std::string(kHttp2Preface) + Frame(Type::kSettings, kHttp2Ack, 0, ""),
       Http2Error::kProtocol},
      {"too large", hi + Frame(Type::kData, 0, 1, std::string(1001, 'x')), Http2Error::kFrameSize},
      {"a ping amid a block",
       hi + Frame(Type::kHeaders, 0, 1, "a") + Frame(Type::kPing, 0, 0, "12345678"),
       Http2Error::kProtocol},
      {"another's continuation",
       hi + Frame(Type::kHeaders, 0, 1, "a") + Frame(Type::kContinuation, 4, 3, "b"),
       Http2Error::kProtocol},
      {"continuation of nothing", hi + Frame(Type::kContinuation, 4, 1, "b"),
       Http2Error::kProtocol},
      {"push promise", hi + Frame(Type::kPushPromise, 4, 1, "1234"), Http2Error::kProtocol},
      {"more padding than payload", hi + Frame(Type::kData, kHttp2Padded, 1, "\3ab"),
       Http2Error::kProtocol},
      {"no room for padding", hi + Frame(Type::kData, kHttp2Padded, 1, ""), Http2Error::kFrameSize},
      {"no room for priority", hi + Frame(Type::kHeaders, kHttp2Priority | 4, 1, "abcd"),
       Http2Error::kFrameSize},
      {"cut settings", hi + Frame(Type::kSettings, 0, 0, "12345"), Http2Error::kFrameSize},
      {"acknowledged settings", hi + Frame(Type::kSettings, kHttp2Ack, 0, "123456"),
       Http2Error::kFrameSize},
      {"many settings", hi + Frame(Type::kSettings, 0, 0, std::string(33 * 6, '\0')),
       Http2Error::kEnhanceYourCalm},
      {"short ping", hi + Frame(Type::kPing, 0, 0, "1234567"), Http2Error::kFrameSize},
      {"empty ping", hi + Frame(Type::kPing, 0, 0, ""), Http2Error::kFrameSize},
      {"long reset", hi + Frame(Type::kRstStream, 0, 1, "12345"), Http2Error::kFrameSize},
      {"long window update", hi + Frame(Type::kWindowUpdate, 0, 1, "12345"),
       Http2Error::kFrameSize},
      {"short priority", hi + Frame(Type::kPriority, 0, 1, "1234"), Http2Error::kFrameSize},
      {"short goaway", hi + Frame(Type::kGoAway, 0, 0, "1234567"), Http2Error::kFrameSize},
  };
  for (const Refused& c : cases) {
    for (const size_t piece : {size_t{1}, size_t{10000}}) {
      Told(c.bytes, piece);
      EXPECT_EQ(fault_.error, c.error) << c.name;
    }
  }
}

TEST_F(Http2ReaderTest, EndsAtTheFirstFault) {
  Told(Greeting() + Frame(Type::kContinuation, 4, 1, "b") + Frame(Type::kPing, 0, 0, "12345678"),
       10000);
  EXPECT_FALSE(fault_.ok());
  EXPECT_EQ(frames_, 1);  // the settings
}

}  // namespace
}  // namespace pt::wire
