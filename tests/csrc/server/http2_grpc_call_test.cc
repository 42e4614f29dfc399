#include "server/http2_grpc_call.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http2_fixture.h"
#include "wire/content_coding.h"

namespace pt::server {
namespace {

class GrpcCallTest : public Http2Test {};

TEST_F(GrpcCallTest, AnswersAUnaryCall) {
  Start();
  Http2Client client(port());
  const Http2Peer::Answer answer = Call(&client, "hello");
  EXPECT_EQ(answer.Find(":status"), "200");
  EXPECT_EQ(answer.Find("content-type"), "application/grpc");
  EXPECT_EQ(Messages(answer.body), std::vector<std::string>{"hello"});
  EXPECT_EQ(answer.FindTrailer("grpc-status"), "0");
  EXPECT_EQ(answer.error, 0u);
  EXPECT_EQ(journal_.Count("cancel"), 0);
}

TEST_F(GrpcCallTest, AnswersManyCallsOnOneConnection) {
  Start();
  Http2Client client(port());
  std::vector<int32_t> ids;
  for (int i = 0; i < 500; ++i) {
    ids.push_back(client.peer().Open(Http2Peer::Grpc(kMethod)));
    client.peer().Send(ids.back(), Framed("message " + std::to_string(i)));
    client.peer().End(ids.back());
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(Messages(client.Await(ids[i]).body)[0], "message " + std::to_string(i));
  }
}

TEST_F(GrpcCallTest, AnswersFromAnotherThread) {
  service_.prepare = [this](TestHandler* handler) {
    handler->on_message = [this](TestHandler* self, Slice message) {
      threads_.emplace_back([sink = self->sink_ref(), text = std::string(message.view())] {
        for (int i = 0; i < 100; ++i) sink->SendMessage(One(text + std::to_string(i)));
        sink->Finish({});
      });
    };
  };
  Start();
  Http2Client client(port());
  const std::vector<std::string> messages = Messages(Call(&client, "m").body);
  ASSERT_EQ(messages.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(messages[i], "m" + std::to_string(i));
}

TEST_F(GrpcCallTest, ErrorsComeInTheHead) {
  service_.prepare = [](TestHandler* handler) {
    handler->on_message = [](TestHandler* self, Slice) {
      self->sink().Finish({api::GrpcCode::kInvalidArgument, "50% wrong\n"});
    };
  };
  Start();
  Http2Client client(port());
  const Http2Peer::Answer answer = Call(&client, "x");
  EXPECT_EQ(answer.Find("grpc-status"), "3");
  EXPECT_EQ(answer.Find("grpc-message"), "50%25 wrong%0A");
  EXPECT_TRUE(answer.body.empty());
}

TEST_F(GrpcCallTest, ErrorsAfterMessagesComeInTheTrailers) {
  service_.prepare = [](TestHandler* handler) {
    handler->on_message = [](TestHandler* self, Slice message) {
      self->sink().SendMessage({std::move(message)});
      self->sink().Finish({api::GrpcCode::kUnavailable, "gone"});
    };
  };
  Start();
  Http2Client client(port());
  const Http2Peer::Answer answer = Call(&client, "first");
  EXPECT_EQ(Messages(answer.body), std::vector<std::string>{"first"});
  EXPECT_EQ(answer.FindTrailer("grpc-status"), "14");
  EXPECT_EQ(answer.FindTrailer("grpc-message"), "gone");
}

TEST_F(GrpcCallTest, StreamsBothWays) {
  service_.prepare = [](TestHandler* handler) {
    handler->on_message = [](TestHandler* self, Slice message) {
      self->sink().SendMessage({std::move(message)});
    };
    handler->on_half_close = [](TestHandler* self) { self->sink().Finish({}); };
  };
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string message = Framed(std::string(static_cast<size_t>(i) * 100, 'x'));
    expected += message;
    client.peer().Send(id, message);
    ASSERT_TRUE(client.RunUntil([&] { return client.answer(id).body == expected; }));
  }
  EXPECT_FALSE(client.answer(id).is_ended);
  client.peer().End(id);
  EXPECT_EQ(client.Await(id).FindTrailer("grpc-status"), "0");
}

TEST_F(GrpcCallTest, LargeMessagesComeWhole) {
  Start();
  Http2Client client(port());
  nghttp2_session_set_local_window_size(client.peer().session(), NGHTTP2_FLAG_NONE, 0, 64 << 20);
  std::string message(5 << 20, '\0');
  for (size_t i = 0; i < message.size(); ++i) message[i] = static_cast<char>(i * 2654435761u >> 11);
  EXPECT_EQ(Call(&client, message).body, Framed(message));
}

TEST_F(GrpcCallTest, LargeMessagesComeInPartsToWhomTakesThem) {
  service_.prepare = [](TestHandler* handler) { handler->takes_parts = true; };
  Start();
  Http2Client client(port());
  EXPECT_EQ(Call(&client, std::string(70000, 'x')).body, Framed(std::string(70000, 'x')));
  EXPECT_EQ(journal_.Count("begin 70000"), 1);
  EXPECT_EQ(Call(&client, std::string(60000, 'y')).body, Framed(std::string(60000, 'y')));
  EXPECT_EQ(journal_.Count("begin 60000"), 0);
}

// Calls whose large messages may be received where they belong.
class PlacedMessagesTest : public GrpcCallTest {
 protected:
  void StartWithPlaces() {
    service_.prepare = [this](TestHandler* handler) {
      handler->takes_parts = true;
      handler->place = place_;
    };
    Start();
  }

 private:
  std::string place_ = std::string(100000, '\0');
};

// Frames' heads lie between the parts, and other calls come between the frames.
TEST_F(PlacedMessagesTest, LargeMessagesAreReceivedWhereTheyBelong) {
  StartWithPlaces();
  Http2Client client(port());
  std::string large(3 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  const int32_t first = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(first, Framed(large).substr(0, 1 << 20));
  client.Flush();
  EXPECT_EQ(Call(&client, "small").body, Framed("small"));
  client.peer().Send(first, Framed(large).substr(1 << 20) + Framed("behind it"));
  client.peer().End(first);
  EXPECT_EQ(client.Await(first).body.substr(0, large.size() + 5), Framed(large));
  EXPECT_GT(journal_.Count("placed"), 5);
}

// Each place costs a call of the system: bytes that come a few at a time are collected first.
TEST_F(PlacedMessagesTest, LargeMessagesInSmallFramesAreReceivedTogether) {
  StartWithPlaces();
  Http2Client client(port());
  ASSERT_TRUE(client.AwaitSettings());  // the windows, so that nothing waits and is framed together
  const std::string message = Framed(std::string(100000, 'x'));
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  for (size_t at = 0; at < message.size(); at += 1000) {
    client.peer().Send(id, std::string_view(message).substr(at, 1000));
    client.Flush();
  }
  client.peer().End(id);
  EXPECT_EQ(client.Await(id).body, message);
  EXPECT_EQ(journal_.Count("placed"), 0);
}

// The stream ends while bytes of its message are still received for it.
TEST_F(PlacedMessagesTest, ACallMayEndAmidAMessageThatIsReceivedWhereItBelongs) {
  StartWithPlaces();
  Http2Client client(port());
  EXPECT_EQ(Call(&client, "first").body, Framed("first"));  // the client knows the windows now
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(id, Framed(std::string(3 << 20, 'x')).substr(0, 2 << 20));
  client.Flush();
  journal_.Await("placed");
  client.peer().Reset(id);
  EXPECT_EQ(Call(&client, "next").body, Framed("next"));
  EXPECT_EQ(journal_.Count("cancel"), 1);
}

TEST_F(GrpcCallTest, RefusesTooLargeMessages) {
  services_.limits.max_request_bytes = 1000;
  Start();
  Http2Client client(port());
  EXPECT_EQ(Call(&client, std::string(1000, 'x')).FindTrailer("grpc-status"), "0");
  EXPECT_EQ(Call(&client, std::string(1001, 'x')).Find("grpc-status"), "8");
  EXPECT_EQ(Call(&client, std::string(100000, 'x')).Find("grpc-status"), "8");
  EXPECT_EQ(journal_.Count("cancel"), 2);
}

TEST_F(GrpcCallTest, RefusesWhatTheBudgetCanNotHold) {
  Start();
  ASSERT_TRUE(budget_.TryClaim(uint64_t{64} << 20));
  Http2Client client(port());
  EXPECT_EQ(Call(&client, std::string(100000, 'x')).Find("grpc-status"), "8");
  budget_.Return(uint64_t{64} << 20);
  EXPECT_EQ(Call(&client, std::string(100000, 'x')).FindTrailer("grpc-status"), "0");
}

TEST_F(GrpcCallTest, UnpacksCompressedMessages) {
  Start();
  Http2Client client(port());
  const std::string text(5000, 'z');
  for (const auto coding : {wire::ContentCoding::kGzip, wire::ContentCoding::kDeflate}) {
    Result<Slice> packed = wire::Compress({Slice::Static(text)}, coding, nullptr);
    ASSERT_TRUE(packed.ok());
    const Http2Peer::Fields more{{"grpc-encoding", std::string(ContentCodingName(coding))}};
    EXPECT_EQ(Call(&client, packed->view(), more, true).body, Framed(text));
    EXPECT_EQ(Call(&client, "plain", more, false).body, Framed("plain"));
  }
}

TEST_F(GrpcCallTest, RefusesBombsAndBrokenCompression) {
  services_.limits.max_request_bytes = 100000;
  Start();
  Http2Client client(port());
  const std::string zeros(10 << 20, '\0');
  Result<Slice> bomb = wire::Compress({Slice::Static(zeros)}, wire::ContentCoding::kGzip, nullptr);
  ASSERT_TRUE(bomb.ok());
  const Http2Peer::Fields gzip{{"grpc-encoding", "gzip"}};
  EXPECT_EQ(Call(&client, bomb->view(), gzip, true).Find("grpc-status"), "8");
  EXPECT_EQ(Call(&client, "no gzip", gzip, true).Find("grpc-status"), "13");
  EXPECT_EQ(Call(&client, "no encoding", {}, true).Find("grpc-status"), "13");
  const Http2Peer::Answer unknown = Call(&client, "x", {{"grpc-encoding", "snappy"}});
  EXPECT_EQ(unknown.Find("grpc-status"), "12");
  EXPECT_EQ(unknown.Find("grpc-accept-encoding"), "identity,deflate,gzip");
}

TEST_F(GrpcCallTest, CompressesAnswersForThoseWhoAccept) {
  services_.compresses_grpc_answers = true;
  Start();
  Http2Client client(port());
  const std::string text(5000, 'z');
  const Http2Peer::Answer answer =
      Call(&client, text, {{"grpc-accept-encoding", "identity, gzip"}});
  EXPECT_EQ(answer.Find("grpc-encoding"), "gzip");
  ASSERT_GT(answer.body.size(), 5u);
  EXPECT_EQ(answer.body[0], 1);
  wire::DecompressOptions options;
  options.max_size = 10000;
  Result<Slice> plain = wire::Decompress(std::string_view(answer.body).substr(5), options);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->view(), text);
  EXPECT_EQ(Call(&client, text).body, Framed(text));
}

TEST_F(GrpcCallTest, RefusesMalformedCalls) {
  Start();
  Http2Client client(port());
  EXPECT_EQ(CallRaw(&client, Framed("hello").substr(0, 7)).Find("grpc-status"), "13");
  EXPECT_EQ(CallRaw(&client, std::string("\x07\0\0\0\0", 5)).Find("grpc-status"), "13");
  EXPECT_EQ(Call(&client, "x", {{"grpc-timeout", "soon"}}).Find("grpc-status"), "3");
  const int32_t unknown = client.peer().Open(Http2Peer::Grpc("/no.Such/Method"));
  client.peer().End(unknown);
  EXPECT_EQ(client.Await(unknown).Find("grpc-status"), "12");
  EXPECT_EQ(client.answer(unknown).Find(":status"), "200");
  const int32_t json = client.peer().Open(
      Http2Peer::Request("POST", kMethod, {{"content-type", "application/json"}}));
  client.peer().End(json);
  EXPECT_EQ(client.Await(json).Find(":status"), "415");
  const int32_t get =
      client.peer().Get(Http2Peer::Request("GET", kMethod, {{"content-type", "application/grpc"}}));
  EXPECT_EQ(client.Await(get).Find(":status"), "405");
  EXPECT_EQ(client.answer(get).Find("allow"), "POST");
}

TEST_F(GrpcCallTest, CutsLongErrorTexts) {
  service_.prepare = [](TestHandler* handler) {
    handler->on_message = [](TestHandler* self, Slice) {
      self->sink().Finish({api::GrpcCode::kInternal, std::string(100000, '\n')});
    };
  };
  Start();
  Http2Client client(port());
  EXPECT_EQ(Call(&client, "x").Find("grpc-message").size(), 4095u);  // 1365 * "%0A"
}

}  // namespace
}  // namespace pt::server
