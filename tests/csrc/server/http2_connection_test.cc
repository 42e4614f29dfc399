#include "server/http2_connection.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "http2_fixture.h"

namespace pt::server {
namespace {

class Http2ConnectionTest : public Http2Test {};

TEST_F(Http2ConnectionTest, ResetCancelsTheCall) {
  KeepSinks();
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(id, Framed("x"));
  client.Flush();
  journal_.Await("message");
  client.peer().Reset(id);
  client.Flush();
  journal_.Await("cancel");
  sinks_[0]->SendUnary(One("too late"));
  sinks_.clear();
  EXPECT_EQ(journal_.Count("cancel"), 1);
}

TEST_F(Http2ConnectionTest, ClientsThatVanishCancelAllTheirCalls) {
  KeepSinks();
  Start();
  {
    Http2Client client(port());
    ASSERT_TRUE(client.AwaitSettings());
    for (int i = 0; i < 256; ++i) {
      const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
      client.peer().Send(id, Framed("x"));
      client.peer().End(id);
    }
    client.Flush();
    journal_.Await("half close");
    while (journal_.Count("half close") < 256) std::this_thread::yield();
  }
  while (journal_.Count("cancel") < 256) std::this_thread::yield();
  // Late answers from another thread are dropped.
  for (const auto& sink : sinks_) sink->SendUnary(One("too late"));
  sinks_.clear();
}

TEST_F(Http2ConnectionTest, AnswersWhenTheDeadlinePasses) {
  KeepSinks();
  Start();
  Http2Client client(port());
  const Http2Peer::Answer answer = Call(&client, "x", {{"grpc-timeout", "20m"}});
  EXPECT_EQ(answer.Find("grpc-status"), "4");
  EXPECT_EQ(journal_.Count("cancel"), 1);
  sinks_[0]->SendUnary(One("too late"));
  sinks_.clear();
}

TEST_F(Http2ConnectionTest, DeadlinesExpireInTheirOrder) {
  KeepSinks();
  Start();
  Http2Client client(port());
  std::vector<int32_t> ids;
  for (const char* timeout : {"90m", "10m", "60m", "30S"}) {
    ids.push_back(client.peer().Open(Http2Peer::Grpc(kMethod, {{"grpc-timeout", timeout}})));
    client.peer().Send(ids.back(), Framed("x"));
    client.peer().End(ids.back());
  }
  EXPECT_EQ(client.Await(ids[1]).Find("grpc-status"), "4");
  EXPECT_EQ(client.Await(ids[2]).Find("grpc-status"), "4");
  EXPECT_EQ(client.Await(ids[0]).Find("grpc-status"), "4");
  EXPECT_FALSE(client.answer(ids[3]).is_closed);
  for (const auto& sink : sinks_) sink->SendUnary(One("answer"));
  EXPECT_EQ(client.Await(ids[3]).FindTrailer("grpc-status"), "0");
  sinks_.clear();
}

TEST_F(Http2ConnectionTest, StopEndsIdleConnectionsWithGoAway) {
  Start();
  Http2Client client(port());
  Call(&client, "x");
  EXPECT_TRUE(Stop().ok());
  EXPECT_TRUE(client.AwaitClose());
  EXPECT_TRUE(client.peer().got_goaway());
  EXPECT_EQ(client.peer().goaway_error(), 0u);
}

TEST_F(Http2ConnectionTest, StopWaitsForCallsUnderWay) {
  KeepSinks();
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(id, Framed("x"));
  client.peer().End(id);
  client.Flush();
  journal_.Await("half close");
  Status stopped = Internal("not yet");
  std::thread stopper([this, &stopped] { stopped = Stop(); });
  sinks_[0]->SendUnary(One("answer"));
  sinks_.clear();
  EXPECT_EQ(Messages(client.Await(id).body), std::vector<std::string>{"answer"});
  EXPECT_TRUE(client.AwaitClose());
  stopper.join();
  EXPECT_TRUE(stopped.ok()) << stopped.ToString();
}

TEST_F(Http2ConnectionTest, StopHalfClosesStreamsThatRest) {
  service_.prepare = [](TestHandler* handler) {
    handler->on_message = [](TestHandler* self, Slice message) {
      self->sink().SendMessage({std::move(message)});
    };
    handler->on_half_close = [](TestHandler* self) { self->sink().Finish({}); };
  };
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(id, Framed("x"));
  ASSERT_TRUE(client.RunUntil([&] { return client.answer(id).body == Framed("x"); }));
  std::thread stopper([this] { EXPECT_TRUE(Stop().ok()); });
  EXPECT_EQ(client.Await(id).FindTrailer("grpc-status"), "0");
  EXPECT_TRUE(client.AwaitClose());
  stopper.join();
}

TEST_F(Http2ConnectionTest, StopFailsCallsWhenItsPatienceEnds) {
  KeepSinks();
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Open(Http2Peer::Grpc(kMethod));
  client.peer().Send(id, Framed("x"));
  client.peer().End(id);
  client.Flush();
  journal_.Await("half close");
  std::thread stopper([this] { EXPECT_FALSE(Stop(Duration(0)).ok()); });
  EXPECT_EQ(client.Await(id).Find("grpc-status"), "14");
  stopper.join();
  EXPECT_EQ(journal_.Count("cancel"), 1);
  sinks_.clear();
}

TEST_F(Http2ConnectionTest, GarbageAfterThePrefaceEndsTheConnection) {
  Start();
  RawClient client(port());
  client.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(1000, 'x'));
  client.ReadAll();
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(Http2ConnectionTest, PrefaceMayComeByteByByte) {
  Start();
  RawClient client(port());
  for (const char c : std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) client.Send({&c, 1});
  client.Send(std::string("\0\0\0\4\0\0\0\0\0", 9));
  EXPECT_EQ(client.TakeBytes(9)[3], 4);  // our SETTINGS
}

}  // namespace
}  // namespace pt::server
