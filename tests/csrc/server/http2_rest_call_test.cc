#include "server/http2_rest_call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "http2_fixture.h"

namespace pt::server {
namespace {

class RestCallTest : public Http2Test {};

TEST_F(RestCallTest, RestRequestsGoToTheHttpService) {
  Start();
  Http2Client client(port());
  const int32_t get = client.peer().Get(Http2Peer::Request("GET", "/v2/health/live?x=1"));
  EXPECT_EQ(client.Await(get).Find(":status"), "200");
  EXPECT_EQ(client.answer(get).Find("content-type"), "text/plain");
  EXPECT_EQ(client.answer(get).body, "GET /v2/health/live?x=1 ");
  EXPECT_EQ(client.answer(get).Find("content-length"), "24");
  const int32_t post = client.peer().Open(Http2Peer::Request("POST", "/v2/x"));
  client.peer().Send(post, "some ");
  client.Flush();
  client.peer().Send(post, "body");
  client.peer().End(post);
  EXPECT_EQ(client.Await(post).body, "POST /v2/x some body");
  const int32_t sized =
      client.peer().Open(Http2Peer::Request("POST", "/v2/x", {{"content-length", "4"}}));
  client.peer().Send(sized, "four");
  client.peer().End(sized);
  EXPECT_EQ(client.Await(sized).body, "POST /v2/x four");
}

TEST_F(RestCallTest, LargeRestBodiesAreAlignedAsPlanned) {
  http_.plan.align_offset = 1000;
  std::atomic<bool> is_aligned{false};
  http_.on_call = [&is_aligned](FakeCall call) {
    is_aligned = reinterpret_cast<uintptr_t>(call.body.data + 1000) % 64 == 0;
    api::HttpReply reply;
    reply.inference_header_length = 17;
    reply.more_headers = {{"X-Mixed-Case", "yes"}, {"Connection", "close"}};
    reply.body.push_back(std::move(call.body));
    call.sink->Send(std::move(reply));
  };
  Start();
  Http2Client client(port());
  const std::string body(300000, 'b');
  const int32_t id = client.peer().Open(
      Http2Peer::Request("POST", "/x", {{"content-length", std::to_string(body.size())}}));
  client.peer().Send(id, body);
  client.peer().End(id);
  const Http2Peer::Answer& answer = client.Await(id);
  EXPECT_EQ(answer.body, body);
  EXPECT_TRUE(is_aligned);
  EXPECT_EQ(answer.Find("inference-header-content-length"), "17");
  EXPECT_EQ(answer.Find("x-mixed-case"), "yes");
  EXPECT_EQ(answer.Find("connection"), "");
}

// Polls, since nothing tells from outside what the server has read.
bool WaitFor(const std::function<bool()>& is_so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(RestCallTest, AfterTheRestOfAFrameTheNextOneIsAwaited) {
  Start();
  Http2Client client(port());
  ASSERT_TRUE(client.AwaitSettings());  // and a window large enough
  const std::string body(200000, 'b');
  const int32_t id = client.peer().Open(
      Http2Peer::Request("POST", "/x", {{"content-length", std::to_string(body.size())}}));
  constexpr size_t kFirst = size_t{6} * (16 << 10);  // whole frames
  client.peer().Send(id, body.substr(0, kFirst));
  const std::string rest = client.FlushAllBut(5000);
  ASSERT_TRUE(WaitFor([&] { return client.ServerAwaits() == 5000; })) << client.ServerAwaits();
  client.SendBytes(rest);
  constexpr int kFrameHead = 9;
  ASSERT_TRUE(WaitFor([&] { return client.ServerAwaits() == kFrameHead; }))
      << client.ServerAwaits();
  client.peer().Send(id, body.substr(kFirst));
  client.peer().End(id);
  EXPECT_EQ(client.Await(id).body, "POST /x " + body);
  EXPECT_EQ(client.ServerAwaits(), 1);
}

// The end of a large body may be received like a small one: then the next request must not be
// waited for like more of it.
TEST_F(RestCallTest, SmallRequestsFollowLargeOnes) {
  Start();
  Http2Client client(port());
  const std::string body(100000, 'b');
  for (size_t tail = 100; tail < 6000; tail += 61) {
    const int32_t large = client.peer().Open(
        Http2Peer::Request("POST", "/x", {{"content-length", std::to_string(body.size())}}));
    client.peer().Send(large, body);
    client.peer().End(large);
    client.FlushInParts(tail);
    ASSERT_EQ(client.Await(large).body, "POST /x " + body);
    const int32_t small = client.peer().Get(Http2Peer::Request("GET", "/v2"));
    ASSERT_EQ(client.Await(small).body, "GET /v2 ");
  }
}

TEST_F(RestCallTest, HeadAnswersHaveNoBody) {
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Get(Http2Peer::Request("HEAD", "/v2"));
  EXPECT_EQ(client.Await(id).Find("content-length"), "9");
  EXPECT_EQ(client.answer(id).body, "");
}

TEST_F(RestCallTest, RefusesTooLargeRestBodies) {
  http_.plan.max_size = 100;
  Start();
  Http2Client client(port());
  const int32_t announced =
      client.peer().Open(Http2Peer::Request("POST", "/x", {{"content-length", "101"}}));
  EXPECT_EQ(client.Await(announced).Find(":status"), "413");
  const int32_t sent = client.peer().Open(Http2Peer::Request("POST", "/x"));
  client.peer().Send(sent, std::string(101, 'x'));
  EXPECT_EQ(client.Await(sent).Find(":status"), "413");
  EXPECT_EQ(client.answer(sent).error, 0u);
}

TEST_F(RestCallTest, RefusesTooLargeHeads) {
  services_.limits.max_header_bytes = 1000;
  Start();
  Http2Client client(port());
  const Http2Peer::Fields big{{"big", std::string(2000, 'x')}};
  const int32_t rest = client.peer().Get(Http2Peer::Request("GET", "/x", big));
  EXPECT_EQ(client.Await(rest).Find(":status"), "431");
  EXPECT_EQ(Call(&client, "x", big).Find("grpc-status"), "8");
}

TEST_F(RestCallTest, StreamsRestAnswersFromAnotherThread) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Get(Http2Peer::Request("GET", "/events"));
  client.Flush();
  FakeCall call = held.Take();
  api::HttpReply head;
  head.content_type = "text/event-stream";
  call.sink->SendHead(std::move(head));
  ASSERT_TRUE(client.RunUntil([&] { return client.answer(id).Find(":status") == "200"; }));
  call.sink->SendChunk(One("one "));
  ASSERT_TRUE(client.RunUntil([&] { return client.answer(id).body == "one "; }));
  call.sink->SendChunk(One("two"));
  call.sink->End();
  EXPECT_EQ(client.Await(id).body, "one two");
  EXPECT_EQ(client.answer(id).Find("content-length"), "");
}

TEST_F(RestCallTest, LeavingCancelsARestCall) {
  HeldCalls held;
  auto cancelled = std::make_shared<Latch>(1);
  http_.on_call = [&held, cancelled](FakeCall call) {
    call.sink->CancelWith(MakeRef<CountingResponder>(cancelled));
    held.Add(std::move(call));
  };
  Start();
  Http2Client client(port());
  const int32_t id = client.peer().Get(Http2Peer::Request("GET", "/x"));
  client.Flush();
  const FakeCall call = held.Take();
  client.peer().Reset(id);
  client.Flush();
  cancelled->WaitUntil(kNoDeadline);
  call.sink->Send(TextReply("too late"));
}

TEST_F(RestCallTest, SaysContinueToThoseWhoWait) {
  Start();
  Http2Client client(port());
  const int32_t id =
      client.peer().Open(Http2Peer::Request("POST", "/x", {{"expect", "100-continue"}}));
  ASSERT_TRUE(client.RunUntil([&] { return client.answer(id).Find(":status") == "100"; }));
  client.peer().Send(id, "now");
  client.peer().End(id);
  EXPECT_EQ(client.Await(id).body, "POST /x now");
}

}  // namespace
}  // namespace pt::server
