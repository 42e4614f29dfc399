// What RFC 9113 says of single frames, asked with frames made by hand.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "wire/http2_frames_fixture.h"

namespace pt::wire {
namespace {

using Http2RulesTest = Http2FramesTest;

struct Ending {
  const char* name;
  std::string bytes;
  Http2Error error;
};

TEST_F(Http2RulesTest, FramesThatEndTheConnection) {
  const std::vector<Ending> cases{
      {"an even stream", Open(2), Http2Error::kProtocol},
      {"stream 0", Open(0), Http2Error::kProtocol},
      {"data of an idle stream", Frame(Type::kData, 0, 1, "x"), Http2Error::kProtocol},
      {"data of stream 0", Frame(Type::kData, 0, 0, "x"), Http2Error::kProtocol},
      {"data after the end", Open(1, kWhole | kEnd) + Frame(Type::kData, 0, 1, "x"),
       Http2Error::kStreamClosed},
      {"a head after the end", Open(1, kWhole | kEnd) + Open(1), Http2Error::kStreamClosed},
      {"a reset of an idle stream", Frame(Type::kRstStream, 0, 1, Big32(8)), Http2Error::kProtocol},
      {"a reset of our stream", Open(3) + Frame(Type::kRstStream, 0, 2, Big32(8)),
       Http2Error::kProtocol},
      {"a reset of stream 0", Frame(Type::kRstStream, 0, 0, Big32(8)), Http2Error::kProtocol},
      {"settings of a stream", Open(1) + Frame(Type::kSettings, 0, 1, ""), Http2Error::kProtocol},
      {"a ping of a stream", Open(1) + Frame(Type::kPing, 0, 1, "12345678"), Http2Error::kProtocol},
      {"priority of stream 0", Frame(Type::kPriority, 0, 0, "12345"), Http2Error::kProtocol},
      {"a window of an idle stream", Frame(Type::kWindowUpdate, 0, 1, Big32(1)),
       Http2Error::kProtocol},
      {"a window by nothing", Frame(Type::kWindowUpdate, 0, 0, Big32(0)), Http2Error::kProtocol},
      {"a window too large", Frame(Type::kWindowUpdate, 0, 0, Big32(0x7fffffff)),
       Http2Error::kFlowControl},
      {"an initial window too large", Setting(Http2Setting::kInitialWindowSize, 0x80000000),
       Http2Error::kFlowControl},
      {"an initial window that breaks a stream's",
       Open(1) + Frame(Type::kWindowUpdate, 0, 1, Big32(0x7fff0000)) +
           Setting(Http2Setting::kInitialWindowSize, 0x7fffffff),
       Http2Error::kFlowControl},
      {"a small max frame", Setting(Http2Setting::kMaxFrameSize, 16383), Http2Error::kProtocol},
      {"a large max frame", Setting(Http2Setting::kMaxFrameSize, 1 << 24), Http2Error::kProtocol},
      {"push", Setting(Http2Setting::kEnablePush, 2), Http2Error::kProtocol},
      {"no HPACK", Frame(Type::kHeaders, kWhole, 1, "\xff\xff\xff\xff\xff\xff"),
       Http2Error::kCompression},
  };
  for (const Ending& c : cases) {
    Begin({});
    EXPECT_FALSE(Say(c.bytes)) << c.name;
    EXPECT_EQ(GoAwayError(), static_cast<int64_t>(c.error)) << c.name;
    EXPECT_TRUE(session_->is_finished()) << c.name;
    EXPECT_FALSE(Say("more")) << c.name;
  }
}

TEST_F(Http2RulesTest, FramesThatEndAStream) {
  const std::vector<Ending> cases{
      {"a field in upper case", Frame(Type::kHeaders, kWhole, 1, Block({{"Upper", "x"}})),
       Http2Error::kProtocol},
      {"a field of HTTP/1", Frame(Type::kHeaders, kWhole, 1, Block({{"connection", "close"}})),
       Http2Error::kProtocol},
      {"content-length, and no content",
       Frame(Type::kHeaders, kWhole | kEnd, 1, Block({{"content-length", "3"}})),
       Http2Error::kProtocol},
      {"less than content-length",
       Frame(Type::kHeaders, kWhole, 1, Block({{"content-length", "3"}})) +
           Frame(Type::kData, kEnd, 1, "ab"),
       Http2Error::kProtocol},
      {"more than content-length",
       Frame(Type::kHeaders, kWhole, 1, Block({{"content-length", "3"}})) +
           Frame(Type::kData, 0, 1, "abcd"),
       Http2Error::kProtocol},
      {"trailers before content-length came",
       Frame(Type::kHeaders, kWhole, 1, Block({{"content-length", "3"}})) +
           Frame(Type::kHeaders, kWhole | kEnd, 1, Trailers()),
       Http2Error::kProtocol},
      {"trailers that are no end", Open(1) + Frame(Type::kHeaders, kWhole, 1, Trailers()),
       Http2Error::kProtocol},
      {"a second head", Open(1) + Open(1, kWhole | kEnd), Http2Error::kProtocol},
      {"a window by nothing", Open(1) + Frame(Type::kWindowUpdate, 0, 1, Big32(0)),
       Http2Error::kProtocol},
      {"a window too large", Open(1) + Frame(Type::kWindowUpdate, 0, 1, Big32(0x7fffffff)),
       Http2Error::kFlowControl},
  };
  for (const Ending& c : cases) {
    Begin({});
    EXPECT_TRUE(Say(c.bytes)) << c.name;
    EXPECT_EQ(ResetError(1), static_cast<int64_t>(c.error)) << c.name;
    for (const auto& stream : streams_) EXPECT_TRUE(stream->is_closed) << c.name;
    EXPECT_TRUE(Say(Open(3, kWhole | kEnd))) << c.name;
    ASSERT_FALSE(streams_.empty()) << c.name;
    EXPECT_FALSE(streams_.back()->is_closed) << c.name;
  }
}

TEST_F(Http2RulesTest, TakesTrailersOfARequest) {
  ASSERT_TRUE(Say(Open(1) + Frame(Type::kData, 0, 1, "body") +
                  Frame(Type::kHeaders, kWhole | kEnd, 1, Trailers())));
  EXPECT_TRUE(streams_[0]->is_ended);
  EXPECT_EQ(streams_[0]->body, "body");
}

TEST_F(Http2RulesTest, IgnoresWhatCrossedAReset) {
  ASSERT_TRUE(Say(Open(1)));
  session_->Reset(streams_[0].get(), Http2Error::kCancel);
  EXPECT_TRUE(Say(Frame(Type::kData, 0, 1, "late")));  // not produced yet when it came
  EXPECT_TRUE(streams_[0]->is_closed);
  EXPECT_TRUE(Say(Frame(Type::kData, kEnd, 1, "later") +
                  Frame(Type::kWindowUpdate, 0, 1, Big32(9)) +
                  Frame(Type::kHeaders, kWhole | kEnd, 1, Trailers())));
  EXPECT_EQ(streams_[0]->body, "");
  EXPECT_TRUE(Say(Open(3, kWhole | kEnd)));
  EXPECT_EQ(streams_.size(), 2u);
}

TEST_F(Http2RulesTest, AnAnswerMayCloseTheStreamAmidAFrame) {
  const std::string data = Frame(Type::kData, kEnd, 1, "first and second");
  ASSERT_TRUE(Say(Open(1) + data.substr(0, 14)));
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kNo);
  ASSERT_TRUE(Say(""));
  ASSERT_TRUE(streams_[0]->is_closed);
  streams_[0].reset();
  EXPECT_TRUE(Say(data.substr(14) + Open(3, kWhole | kEnd)));
  EXPECT_EQ(streams_.size(), 2u);
}

TEST_F(Http2RulesTest, RefusesStreamsOverTheLimitAndTakesLaterOnes) {
  Http2Limits limits;
  limits.max_streams = 2;
  Begin(limits);
  EXPECT_TRUE(Say(Open(1) + Open(3) + Open(5)));
  EXPECT_EQ(ResetError(5), static_cast<int64_t>(Http2Error::kRefusedStream));
  EXPECT_TRUE(Say(Frame(Type::kRstStream, 0, 1, Big32(8)) + Open(7)));
  EXPECT_EQ(ResetError(7), -1);
  EXPECT_EQ(session_->open_streams(), 2u);
}

TEST_F(Http2RulesTest, FindsStreamsWhateverIdsTheClientChooses) {
  for (const uint32_t stride : {2u, 2048u, 1u << 20}) {
    Begin({});
    for (uint32_t i = 0; i < 1000; ++i) ASSERT_TRUE(Say(Open(1 + stride * i)));
    for (uint32_t i = 0; i < 1000; i += 3) {
      ASSERT_TRUE(Say(Frame(Type::kRstStream, 0, 1 + stride * i, Big32(8))));
    }
    for (uint32_t i = 1000; i-- > 0;) {
      ASSERT_TRUE(Say(Frame(Type::kData, kEnd, 1 + stride * i, std::to_string(i))));
    }
    EXPECT_EQ(session_->open_streams(), 666u) << stride;
    for (uint32_t i = 0; i < 1000; ++i) {
      EXPECT_EQ(streams_[i]->is_closed, i % 3 == 0) << i;
      EXPECT_EQ(streams_[i]->body, i % 3 == 0 ? "" : std::to_string(i));
    }
  }
}

// Streams that the server resets for the client's fault cost as much as those the client resets.
TEST_F(Http2RulesTest, ProvokedResetsEndTheConnection) {
  Http2Limits limits;
  limits.reset_burst = 50;
  limits.resets_per_second = 10;
  Begin(limits);
  const auto provoke = [this](uint32_t i) {
    return Say(Open(2 * i + 1) + Frame(Type::kWindowUpdate, 0, 2 * i + 1, Big32(0)));
  };
  uint32_t i = 0;
  for (; i < 50; ++i) ASSERT_TRUE(provoke(i)) << i;
  now_ += std::chrono::seconds(1);
  for (; i < 60; ++i) ASSERT_TRUE(provoke(i)) << i;
  EXPECT_FALSE(provoke(i));
  EXPECT_EQ(GoAwayError(), static_cast<int64_t>(Http2Error::kEnhanceYourCalm));
}

TEST_F(Http2RulesTest, ControlFramesOfAClientThatDoesNotReadEndTheConnection) {
  Http2Limits limits;
  limits.idle_frames = 1 << 30;
  Begin(limits);
  const std::string ping = Frame(Type::kPing, 0, 0, "12345678");
  bool is_fine = true;
  int count = 0;
  while (is_fine && count < 1000000) {
    is_fine = session_->Receive(ping, now_).ok();
    ++count;
  }
  EXPECT_FALSE(is_fine);
  EXPECT_LT(count, 100000);
}

TEST_F(Http2RulesTest, ContinuationFloodEndsTheConnection) {
  Http2Limits limits;
  limits.idle_frames = 1000;
  Begin(limits);
  std::string flood = Frame(Type::kHeaders, 0, 1, "");
  for (int i = 0; i < 1100; ++i) flood += Frame(Type::kContinuation, 0, 1, "");
  EXPECT_FALSE(Say(flood));
  EXPECT_EQ(GoAwayError(), static_cast<int64_t>(Http2Error::kEnhanceYourCalm));
}

// Some clients give credit for every 4 KiB that they read, for the stream and for the connection.
TEST_F(Http2RulesTest, CreditForALongAnswerIsNoFlood) {
  Http2Limits limits;
  limits.idle_frames = 10;
  Begin(limits);
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd)));
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(streams_[0].get(), "", Slice::Copy(std::string(1 << 20, 'x')));
  session_->End(streams_[0].get());
  ASSERT_TRUE(Say(""));
  const std::string credit =
      Frame(Type::kWindowUpdate, 0, 0, Big32(4096)) + Frame(Type::kWindowUpdate, 0, 1, Big32(4096));
  for (int i = 0; i < 256 && !streams_[0]->is_closed; ++i) ASSERT_TRUE(Say(credit)) << i;
  EXPECT_TRUE(streams_[0]->is_closed);
}

TEST_F(Http2RulesTest, MessagesThatAreSentEarnIdleFrames) {
  Http2Limits limits;
  limits.idle_frames = 10;
  Begin(limits);
  ASSERT_TRUE(Say(Open(1)));
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kYes);
  const std::string credit =
      Frame(Type::kWindowUpdate, 0, 0, Big32(50)) + Frame(Type::kWindowUpdate, 0, 1, Big32(50));
  for (int i = 0; i < 100; ++i) {
    session_->Queue(streams_[0].get(), "lead", Slice::Copy(std::string(46, 'x')));
    ASSERT_TRUE(Say(Frame(Type::kPing, 0, 0, "12345678") + credit)) << i;
  }
}

// A client that gives a byte of credit at a time makes us frame single bytes.
TEST_F(Http2RulesTest, CreditInBytesIsAFlood) {
  Http2Limits limits;
  limits.idle_frames = 100;
  Begin(limits);
  ASSERT_TRUE(Say(Setting(Http2Setting::kInitialWindowSize, 0) + Open(1, kWhole | kEnd)));
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(streams_[0].get(), "", Slice::Copy(std::string(10000, 'x')));
  bool is_fine = true;
  for (int i = 0; i < 200 && is_fine; ++i) {
    is_fine = Say(Frame(Type::kWindowUpdate, 0, 1, Big32(1)));
  }
  EXPECT_FALSE(is_fine);
}

TEST_F(Http2RulesTest, PingsAtLeisureAreNoFlood) {
  Http2Limits limits;
  limits.idle_frames = 10;
  limits.idle_frames_per_second = 2;
  Begin(limits);
  const std::string ping = Frame(Type::kPing, 0, 0, "12345678");
  for (int i = 0; i < 100; ++i) {
    now_ += std::chrono::seconds(1);
    ASSERT_TRUE(Say(ping + ping)) << i;
  }
  bool is_fine = true;
  for (int i = 0; i < 20 && is_fine; ++i) is_fine = Say(ping);
  EXPECT_FALSE(is_fine);
}

TEST_F(Http2RulesTest, ABlockThatNeverEndsEndsTheConnection) {
  Http2Limits limits;
  limits.max_header_bytes = 1000;
  Begin(limits);
  std::string endless =
      Frame(Type::kHeaders, 0, 1, std::string(1, '\0') + "\x01x\x7f\xe1\xd3\x03");  // 60,000 bytes
  for (int i = 0; i < 20; ++i) {
    endless += Frame(Type::kContinuation, 0, 1, std::string(1000, 'x'));
  }
  EXPECT_FALSE(Say(endless));
  EXPECT_EQ(GoAwayError(), static_cast<int64_t>(Http2Error::kEnhanceYourCalm));
  EXPECT_TRUE(streams_.empty());
}

TEST_F(Http2RulesTest, AnswersPingsAndSettings) {
  EXPECT_TRUE(
      Say(Frame(Type::kPing, 0, 0, "abcdefgh") + Frame(Type::kPing, kHttp2Ack, 0, "zzzzzzzz")));
  EXPECT_EQ(Sent(Type::kPing, 0, 0), ReadBig32("abcd"));
  output_.clear();
  EXPECT_TRUE(Say(Frame(Type::kSettings, 0, 0, "")));
  EXPECT_EQ(output_, Frame(Type::kSettings, kHttp2Ack, 0, ""));
}

// What was not taken may be sent again elsewhere; so a later GOAWAY must not include it (6.8).
TEST_F(Http2RulesTest, TheLastStreamOfAGoodbyeNeverRises) {
  ASSERT_TRUE(Say(Open(1)));
  session_->GoAway(Http2Error::kNone);
  ASSERT_TRUE(Say(Open(3) + Frame(Type::kData, 0, 3, "x")));
  EXPECT_EQ(streams_.size(), 1u);
  EXPECT_EQ(Sent(Type::kGoAway, 0, 0), 1);
  EXPECT_FALSE(Say(Frame(Type::kData, 0, 0, "x")));
  EXPECT_EQ(GoAwayError(), static_cast<int64_t>(Http2Error::kProtocol));
  EXPECT_EQ(Sent(Type::kGoAway, 0, 0), 1);
}

TEST_F(Http2RulesTest, TheClientsGoodbyeEndsTheConnectionWhenAllIsAnswered) {
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd) + Frame(Type::kGoAway, 0, 0, Big32(0) + Big32(0))));
  EXPECT_FALSE(session_->is_finished());
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kNo);
  ASSERT_TRUE(Say(""));
  EXPECT_TRUE(session_->is_finished());
}

}  // namespace
}  // namespace pt::wire
