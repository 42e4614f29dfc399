// Windows and turns of an HTTP/2 connection (RFC 9113 5.2).
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "wire/http2_frames_fixture.h"

namespace pt::wire {
namespace {

using Http2WindowsTest = Http2FramesTest;

TEST_F(Http2WindowsTest, MoreThanTheWindowEndsTheStreamOrTheConnection) {
  Http2Limits limits;
  limits.stream_window = 100;
  Begin(limits);
  EXPECT_TRUE(Say(Open(1) + Frame(Type::kData, 0, 1, std::string(101, 'x'))));
  EXPECT_EQ(ResetError(1), static_cast<int64_t>(Http2Error::kFlowControl));
  EXPECT_EQ(streams_[0]->body, "");
  limits.stream_window = limits.connection_window = 100000;
  Begin(limits);
  // The first two frames are not given back: half of the window was not used up by one Receive.
  std::string much = Open(1) + Open(3) + Open(5);
  for (const uint32_t id : {1u, 3u, 5u}) {
    much += Frame(Type::kData, 0, id, std::string(40000, 'x'));
  }
  EXPECT_FALSE(Say(much));
  EXPECT_EQ(GoAwayError(), static_cast<int64_t>(Http2Error::kFlowControl));
}

TEST_F(Http2WindowsTest, PaddingCountsForTheWindows) {
  Http2Limits limits;
  limits.stream_window = 1000;
  Begin(limits);
  ASSERT_TRUE(Say(Open(1)));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        Say(Frame(Type::kData, kHttp2Padded, 1, std::string("\xc8") + std::string(200, 0))));
  }
  EXPECT_EQ(ResetError(1), -1);
  EXPECT_GE(Sent(Type::kWindowUpdate, 1, 0), 500);
}

TEST_F(Http2WindowsTest, DataMayBeReceivedWhereItBelongs) {
  Http2Limits limits;
  limits.stream_window = 1000;
  Begin(limits);
  EXPECT_EQ(session_->reading(), nullptr);
  ASSERT_TRUE(Say(Frame(Type::kHeaders, kWhole, 1, Block({{"content-length", "900"}}))));
  EXPECT_EQ(session_->frame_head_left(), 9u);
  const std::string data = Frame(Type::kData, 0, 1, std::string(600, 'x'));
  ASSERT_TRUE(Say(data.substr(0, 5)));
  EXPECT_EQ(session_->frame_head_left(), 0u);
  EXPECT_EQ(session_->reading(), nullptr);
  ASSERT_TRUE(Say(data.substr(5, 14)));
  EXPECT_EQ(session_->reading(), streams_[0].get());
  EXPECT_EQ(session_->data_left(), 590u);
  ASSERT_TRUE(session_->ReceivedData(500, now_).ok());
  EXPECT_EQ(session_->data_left(), 90u);
  ASSERT_TRUE(session_->ReceivedData(90, now_).ok());
  EXPECT_EQ(session_->reading(), nullptr);
  EXPECT_EQ(session_->frame_head_left(), 9u);
  ASSERT_TRUE(Say(""));
  EXPECT_EQ(Sent(Type::kWindowUpdate, 1, 0), 600);
  // No more than content-length said.
  ASSERT_TRUE(Say(Frame(Type::kData, kEnd, 1, std::string(500, 'x')).substr(0, 9)));
  EXPECT_EQ(session_->data_left(), 300u);
  ASSERT_TRUE(session_->ReceivedData(300, now_).ok());
  EXPECT_EQ(session_->data_left(), 0u);
  ASSERT_TRUE(Say(std::string(200, 'x')));
  EXPECT_EQ(ResetError(1), static_cast<int64_t>(Http2Error::kProtocol));
  EXPECT_EQ(streams_[0]->body, std::string(10, 'x'));
}

TEST_F(Http2WindowsTest, StreamsTakeTurns) {
  ASSERT_TRUE(Say(Setting(Http2Setting::kInitialWindowSize, 1 << 20) +
                  Frame(Type::kWindowUpdate, 0, 0, Big32(1 << 20)) + Open(1, kWhole | kEnd) +
                  Open(3, kWhole | kEnd)));
  for (const auto& stream : streams_) {
    session_->SendHead(stream.get(), kOk, FieldBytes::kStatic, BodyFollows::kYes);
    session_->Queue(stream.get(), "", Slice::Copy(std::string(100000, 'x')));
    session_->End(stream.get());
  }
  session_->Produce(70000);
  EXPECT_LT(streams_[0]->unsent(), 80000u);
  EXPECT_LT(streams_[1]->unsent(), 80000u);
}

TEST_F(Http2WindowsTest, AClosedConnectionWindowHoldsBodiesNotHeads) {
  ASSERT_TRUE(Say(Setting(Http2Setting::kInitialWindowSize, 1 << 20) + Open(1, kWhole | kEnd) +
                  Open(3, kWhole | kEnd) + Open(5, kWhole | kEnd)));
  const auto answer = [this](size_t i, size_t size) {
    session_->SendHead(streams_[i].get(), kOk, FieldBytes::kStatic,
                       size == 0 ? BodyFollows::kNo : BodyFollows::kYes);
    if (size == 0) return;
    session_->Queue(streams_[i].get(), "", Slice::Copy(std::string(size, 'x')));
    session_->End(streams_[i].get());
  };
  answer(0, 100000);
  answer(1, 10);
  answer(2, 0);
  ASSERT_TRUE(Say(""));
  EXPECT_EQ(streams_[0]->unsent(), 100000u - (65535u - 10u));
  EXPECT_TRUE(streams_[1]->is_closed);  // its turn came before the window was used up
  EXPECT_TRUE(streams_[2]->is_closed);
  EXPECT_FALSE(session_->wants_write());
  ASSERT_TRUE(Say(Frame(Type::kWindowUpdate, 0, 0, Big32(1 << 20))));
  EXPECT_TRUE(streams_[0]->is_closed);
}

TEST_F(Http2WindowsTest, AShrunkWindowMayFallBelowZero) {
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd)));
  session_->SendHead(streams_[0].get(), kOk, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(streams_[0].get(), "", Slice::Copy(std::string(50000, 'x')));
  ASSERT_TRUE(Say(""));
  ASSERT_TRUE(Say(Setting(Http2Setting::kInitialWindowSize, 1000)));  // 65535 - 50000 - 64535 < 0
  session_->Queue(streams_[0].get(), "", Slice::Copy("rest"));
  session_->End(streams_[0].get());
  ASSERT_TRUE(Say(""));
  EXPECT_FALSE(streams_[0]->is_closed);
  ASSERT_TRUE(Say(Frame(Type::kWindowUpdate, 0, 1, Big32(49000 + 4))));
  EXPECT_TRUE(streams_[0]->is_closed);
}

// Each change costs a look at every open stream: a frame's last word is the one that counts.
TEST_F(Http2WindowsTest, AnInitialWindowThatIsSaidTwiceChangesOnce) {
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd) + Frame(Type::kWindowUpdate, 0, 1, Big32(0x7fff0000))));
  std::string twice;
  AppendSetting(Http2Setting::kInitialWindowSize, 0x7fffffff, &twice);
  AppendSetting(Http2Setting::kInitialWindowSize, 65536, &twice);
  EXPECT_FALSE(Say(Frame(Type::kSettings, 0, 0, twice)));  // 2^31
  Begin({});
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd) + Frame(Type::kWindowUpdate, 0, 1, Big32(0x7fff0000))));
  twice.clear();
  AppendSetting(Http2Setting::kInitialWindowSize, 0x7fffffff, &twice);
  AppendSetting(Http2Setting::kInitialWindowSize, 1000, &twice);
  EXPECT_TRUE(Say(Frame(Type::kSettings, 0, 0, twice)));
}

TEST_F(Http2WindowsTest, LargeHeadsOfAnswersAreCutIntoFrames) {
  ASSERT_TRUE(Say(Open(1, kWhole | kEnd)));
  const std::string value(40000, 'x');
  session_->SendHead(streams_[0].get(), std::array<Http2Field, 2>{{kOk[0], {"long", value}}},
                     FieldBytes::kCopied, BodyFollows::kNo);
  ASSERT_TRUE(Say(""));
  EXPECT_TRUE(streams_[0]->is_closed);
  EXPECT_NE(Sent(Type::kHeaders, 1, 0), -1);
  EXPECT_NE(Sent(Type::kContinuation, 1, 0), -1);
}

}  // namespace
}  // namespace pt::wire
