#include "wire/http2.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "wire/http2_peer.h"

namespace pt::wire {
namespace {

constexpr std::array<Http2Field, 2> kOkHead{{{":status", "200"}, {"content-type", "text/plain"}}};
constexpr std::array<Http2Field, 1> kTrailers{{{"grpc-status", "0"}}};

struct ClientStream : Http2Stream {
  std::string method, path, body;
  std::vector<std::pair<std::string, std::string>> fields;
  bool is_too_large = false;
  bool has_body = false;
  bool is_ended = false;
  bool is_closed = false;
  Http2Error error = Http2Error::kNone;
};

class Http2Test : public ::testing::Test, public Http2Events, public Http2Output {
 protected:
  void Open(const Http2Limits& limits = {}) {
    auto session = Http2Session::Create(limits, this, this);
    ASSERT_TRUE(session.ok());
    session_ = std::move(session).value();
  }

  // Carries bytes both ways until both are silent. `piece`: how many bytes the server gets at once.
  void Exchange(size_t piece = 1 << 20) {
    for (bool is_busy = true; is_busy;) {
      const std::string up = peer_.Output();
      for (size_t i = 0; i < up.size(); i += piece) {
        status_ = session_->Receive(std::string_view(up).substr(i, piece), {});
        if (!status_.ok()) break;
      }
      while (session_->Produce(1 << 20)) {
      }
      const std::string down = std::exchange(output_, {});
      EXPECT_TRUE(peer_.Input(down));
      is_busy = !up.empty() || !down.empty();
      if (!status_.ok()) return;
    }
  }

  ClientStream& stream(size_t i) { return *streams_.at(i); }

  void OnRequest(const Http2Head& head) override {
    if (refuses_) return;
    ClientStream& stream = *streams_.emplace_back(std::make_unique<ClientStream>());
    stream.method = head.method;
    stream.path = head.path;
    stream.has_body = head.has_body;
    stream.is_too_large = head.is_too_large;
    for (const Http2Field& field : head.fields) stream.fields.emplace_back(field.name, field.value);
    session_->Accept(&stream);
  }
  void OnData(Http2Stream* stream, std::string_view bytes) override {
    static_cast<ClientStream*>(stream)->body.append(bytes);
  }
  void OnEnd(Http2Stream* stream) override { static_cast<ClientStream*>(stream)->is_ended = true; }
  void OnClose(Http2Stream* stream, Http2Error error) override {
    static_cast<ClientStream*>(stream)->is_closed = true;
    static_cast<ClientStream*>(stream)->error = error;
  }
  void Write(std::string_view bytes) override { output_.append(bytes); }
  void Write(Slice bytes) override {
    output_.append(bytes.view());
    ++slices_written_;
  }

  Http2Peer peer_;
  std::string output_;
  int slices_written_ = 0;
  bool refuses_ = false;
  Status status_;
  std::vector<std::unique_ptr<ClientStream>> streams_;  // outlives the session
  std::unique_ptr<Http2Session> session_;
};

TEST_F(Http2Test, GivesHeadBodyAndEndOfARequest) {
  Open();
  const int32_t id = peer_.Open(Http2Peer::Request("POST", "/v2/x?y=1", {{"accept", "*/*"}}));
  peer_.Send(id, "hello ");
  peer_.Send(id, "world");
  peer_.End(id);
  Exchange();
  ASSERT_EQ(streams_.size(), 1u);
  EXPECT_EQ(stream(0).id(), id);
  EXPECT_EQ(stream(0).method, "POST");
  EXPECT_EQ(stream(0).path, "/v2/x?y=1");
  EXPECT_EQ(stream(0).fields.size(), 1u);
  EXPECT_EQ(stream(0).fields[0].first, "accept");
  EXPECT_EQ(stream(0).body, "hello world");
  EXPECT_TRUE(stream(0).is_ended);
  EXPECT_TRUE(stream(0).is_request_complete());
}

TEST_F(Http2Test, TakesInputByteByByte) {
  Open();
  const int32_t id = peer_.Open(Http2Peer::Request("POST", "/p"));
  peer_.Send(id, std::string(1000, 'x'));
  peer_.End(id);
  Exchange(1);
  ASSERT_EQ(streams_.size(), 1u);
  EXPECT_EQ(stream(0).body, std::string(1000, 'x'));
  EXPECT_TRUE(stream(0).is_ended);
}

TEST_F(Http2Test, RequestWithoutBodySaysSo) {
  Open();
  peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  ASSERT_EQ(streams_.size(), 1u);
  EXPECT_FALSE(stream(0).has_body);
  EXPECT_TRUE(stream(0).is_request_complete());
  EXPECT_FALSE(stream(0).is_ended);
}

TEST_F(Http2Test, AnswersWithBodyAndTrailers) {
  Open();
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(&stream(0), "lead:", Slice::Static("body"));
  session_->EndWithTrailers(&stream(0), kTrailers, FieldBytes::kStatic);
  Exchange();
  const Http2Peer::Answer& answer = peer_.answer(id);
  EXPECT_EQ(answer.Find(":status"), "200");
  EXPECT_EQ(answer.body, "lead:body");
  EXPECT_EQ(answer.data_frames, 1);
  EXPECT_EQ(answer.FindTrailer("grpc-status"), "0");
  EXPECT_TRUE(answer.is_closed);
  EXPECT_EQ(answer.error, 0u);
  EXPECT_TRUE(stream(0).is_closed);
  EXPECT_EQ(stream(0).error, Http2Error::kNone);
  EXPECT_EQ(session_->open_streams(), 0u);
}

TEST_F(Http2Test, AnswersWithHeadOnly) {
  Open();
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kCopied, BodyFollows::kNo);
  Exchange();
  EXPECT_TRUE(peer_.answer(id).is_ended);
  EXPECT_EQ(peer_.answer(id).data_frames, 0);
}

TEST_F(Http2Test, BodyMayComeInPartsAfterTheHeadIsGone) {
  Open();
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kYes);
  Exchange();
  EXPECT_EQ(peer_.answer(id).Find(":status"), "200");
  for (const std::string_view part : {"one ", "two ", "three"}) {
    session_->Queue(&stream(0), "", Slice::Static(part));
    Exchange();
  }
  EXPECT_EQ(peer_.answer(id).body, "one two three");
  EXPECT_FALSE(peer_.answer(id).is_ended);
  session_->End(&stream(0));
  Exchange();
  EXPECT_TRUE(peer_.answer(id).is_ended);
}

TEST_F(Http2Test, LargeBodyKeepsItsBytesAndTheBudget) {
  Open();
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  std::string body(3 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761u >> 13);
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(&stream(0), "12345", Slice::Copy(body));
  session_->End(&stream(0));
  EXPECT_EQ(stream(0).unsent(), body.size() + 5);
  session_->Produce(20000);
  EXPECT_LE(output_.size(), 20000u + 16384u + 9u);
  EXPECT_TRUE(peer_.Input(std::exchange(output_, {})));
  Exchange();
  EXPECT_EQ(peer_.answer(id).body, "12345" + body);
  EXPECT_TRUE(peer_.answer(id).is_closed);
}

TEST_F(Http2Test, EarlyAnswerTellsTheClientToStopSending) {
  Open();
  const int32_t id = peer_.Open(Http2Peer::Request("POST", "/"));
  peer_.Send(id, "part");
  Exchange();
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kNo);
  Exchange();
  EXPECT_TRUE(peer_.answer(id).is_ended);
  EXPECT_TRUE(peer_.answer(id).is_closed);
  EXPECT_EQ(peer_.answer(id).error, 0u);
  EXPECT_TRUE(stream(0).is_closed);
}

TEST_F(Http2Test, RefusesWhatWasNotAccepted) {
  Open();
  refuses_ = true;
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  EXPECT_TRUE(peer_.answer(id).is_closed);
  EXPECT_EQ(peer_.answer(id).error, static_cast<uint32_t>(Http2Error::kRefusedStream));
}

TEST_F(Http2Test, ClientsResetClosesTheStream) {
  Open();
  const int32_t id = peer_.Open(Http2Peer::Request("POST", "/"));
  Exchange();
  peer_.Reset(id);
  Exchange();
  EXPECT_TRUE(stream(0).is_closed);
  EXPECT_EQ(stream(0).error, Http2Error::kCancel);
}

TEST_F(Http2Test, DestructorClosesOpenStreams) {
  Open();
  peer_.Open(Http2Peer::Request("POST", "/a"));
  peer_.Open(Http2Peer::Request("POST", "/b"));
  Exchange();
  EXPECT_EQ(session_->open_streams(), 2u);
  session_.reset();
  EXPECT_TRUE(stream(0).is_closed);
  EXPECT_TRUE(stream(1).is_closed);
}

TEST_F(Http2Test, StreamThatLeavesItsAnswerUnreadMaySendNoMore) {
  Http2Limits limits;
  limits.stream_window = 100000;
  limits.max_unsent = 1000;
  Open(limits);
  const int32_t id = peer_.Open(Http2Peer::Request("POST", "/"));
  Exchange();
  const std::string answer(200000, 'a');  // more than the peer's window
  nghttp2_session_set_local_window_size(peer_.session(), NGHTTP2_FLAG_NONE, 0, 1 << 20);
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kYes);
  session_->Queue(&stream(0), "", Slice::Copy(answer));
  peer_.Send(id, std::string(300000, 'x'));
  peer_.End(id);
  const std::string up = peer_.Output();
  ASSERT_TRUE(session_->Receive(up, {}).ok());
  EXPECT_LE(stream(0).body.size(), 100000u);
  EXPECT_FALSE(stream(0).is_ended);
  Exchange();  // the peer reads, and may go on
  EXPECT_EQ(peer_.answer(id).body, answer);
  EXPECT_EQ(stream(0).body.size(), 300000u);
  EXPECT_TRUE(stream(0).is_ended);
}

TEST_F(Http2Test, LargeHeadIsCutAndSaysSo) {
  Http2Limits limits;
  limits.max_header_bytes = 1000;
  Open(limits);
  peer_.Get(Http2Peer::Request("GET", "/", {{"big", std::string(2000, 'a')}, {"small", "b"}}));
  Exchange();
  ASSERT_EQ(streams_.size(), 1u);
  EXPECT_TRUE(stream(0).is_too_large);
  EXPECT_TRUE(status_.ok());
}

TEST_F(Http2Test, HugeHeadEndsTheConnection) {
  Http2Limits limits;
  limits.max_header_bytes = 1000;
  Open(limits);
  Http2Peer::Fields more;
  for (int i = 0; i < 30; ++i)
    more.emplace_back("name" + std::to_string(i), std::string(1000, 'a'));
  peer_.Get(Http2Peer::Request("GET", "/", more));
  Exchange();
  EXPECT_EQ(status_.code(), Code::kInvalidArgument);
  EXPECT_TRUE(peer_.got_goaway());
  EXPECT_EQ(peer_.goaway_error(), static_cast<uint32_t>(Http2Error::kEnhanceYourCalm));
  EXPECT_TRUE(streams_.empty());
}

TEST_F(Http2Test, IdleFrameFloodEndsTheConnection) {
  Http2Limits limits;
  limits.idle_frames = 100;
  Open(limits);
  Exchange();
  for (int i = 0; i < 300 && status_.ok(); ++i) {
    nghttp2_submit_ping(peer_.session(), NGHTTP2_FLAG_NONE, nullptr);
    Exchange();
  }
  EXPECT_EQ(status_.code(), Code::kInvalidArgument);
  EXPECT_EQ(peer_.goaway_error(), static_cast<uint32_t>(Http2Error::kEnhanceYourCalm));
}

TEST_F(Http2Test, UsefulFramesEarnIdleOnes) {
  Http2Limits limits;
  limits.idle_frames = 10;
  Open(limits);
  for (size_t i = 0; i < 200; ++i) {
    peer_.Get(Http2Peer::Request("GET", "/"));
    nghttp2_submit_ping(peer_.session(), NGHTTP2_FLAG_NONE, nullptr);
    nghttp2_submit_ping(peer_.session(), NGHTTP2_FLAG_NONE, nullptr);
    Exchange();
    ASSERT_TRUE(status_.ok()) << status_.ToString();
    session_->SendHead(&stream(i), kOkHead, FieldBytes::kStatic, BodyFollows::kNo);
  }
}

TEST_F(Http2Test, RapidResetsEndTheConnection) {
  Http2Limits limits;
  limits.reset_burst = 50;
  limits.resets_per_second = 1;
  Open(limits);
  for (int i = 0; i < 200 && !peer_.got_goaway(); ++i) {
    const int32_t id = peer_.Open(Http2Peer::Request("POST", "/"));
    Exchange();
    peer_.Reset(id);
    Exchange();
  }
  EXPECT_TRUE(peer_.got_goaway());
  EXPECT_LE(streams_.size(), 55u);
}

TEST_F(Http2Test, GarbageEndsTheConnection) {
  Open();
  EXPECT_FALSE(session_->Receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n", {}).ok());
}

TEST_F(Http2Test, GoAwayInTwoStepsFinishesWhatIsOpen) {
  Open();
  const int32_t id = peer_.Get(Http2Peer::Request("GET", "/"));
  Exchange();
  session_->AnnounceGoAway();
  Exchange();
  EXPECT_TRUE(peer_.got_goaway());
  session_->GoAway(Http2Error::kNone);
  Exchange();
  EXPECT_FALSE(session_->is_finished());
  session_->SendHead(&stream(0), kOkHead, FieldBytes::kStatic, BodyFollows::kNo);
  Exchange();
  EXPECT_TRUE(peer_.answer(id).is_ended);
  EXPECT_TRUE(session_->is_finished());
}

TEST_F(Http2Test, RefusesMoreStreamsThanAllowed) {
  Http2Limits limits;
  limits.max_streams = 2;
  Open(limits);
  Exchange();
  std::vector<int32_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(peer_.Open(Http2Peer::Request("POST", "/")));
  Exchange();
  EXPECT_EQ(streams_.size(), 2u);  // the third waits at the client
}

}  // namespace
}  // namespace pt::wire
