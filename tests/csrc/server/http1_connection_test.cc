#include "server/http1_connection.h"

#include <thread>

#include "front_fixture.h"

namespace pt::server {
namespace {

using Http1Test = FrontTest;

constexpr std::string_view kGet = "GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(Http1Test, AnswersAndKeepsTheConnection) {
  Start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
  }
}

TEST_F(Http1Test, AnswersAByteAtATime) {
  Start();
  RawClient client(port());
  for (const char byte : std::string("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")) {
    client.Send(std::string_view(&byte, 1));
  }
  EXPECT_EQ(client.ReadResponse(), Ok("POST /a abc"));
}

TEST_F(Http1Test, ReadsChunkedBodiesWithExtensionsAndTrailers) {
  Start();
  RawClient client(port());
  client.Send(
      "POST /a HTTP/1.1\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n");
  client.Send(kGet);
  EXPECT_EQ(client.ReadResponse(), Ok("POST /a abcde"));
  EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
}

TEST_F(Http1Test, ReceivesALargeBodyAligned) {
  constexpr size_t kSize = 3 << 20;
  constexpr size_t kHeader = 77;
  http_.plan.align_offset = kHeader;
  http_.on_call = [](FakeCall call) {
    const auto address = reinterpret_cast<uintptr_t>(call.body.data + kHeader);
    api::HttpReply reply = TextReply(std::to_string(address % 64) + " ");
    reply.body.push_back(call.body);
    call.sink->Send(std::move(reply));
  };
  Start();
  RawClient client(port());
  std::string body(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) body[i] = static_cast<char>('a' + i % 23);
  std::thread sender([&] {
    client.Send("POST /b HTTP/1.1\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n" + body);
  });
  const std::string response = client.ReadResponse();
  sender.join();
  EXPECT_EQ(response, Ok("0 " + body));
}

TEST_F(Http1Test, AnswersPipelinedRequestsInOrder) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start();
  RawClient client(port());
  client.Send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  FakeCall first = held.Take();
  FakeCall second = held.Take();
  second.sink->Send(TextReply("two"));
  first.sink->Send(TextReply("one"));
  EXPECT_EQ(client.ReadResponse(), Ok("one"));
  EXPECT_EQ(client.ReadResponse(), Ok("two"));
}

TEST_F(Http1Test, ReadsNoMoreThanTheLimitOfPipelinedRequests) {
  services_.limits.max_pipelined = 2;
  HeldCalls held;
  std::atomic<int> calls{0};
  http_.on_call = [&](FakeCall call) {
    ++calls;
    held.Add(std::move(call));
  };
  Start();
  RawClient client(port());
  for (int i = 0; i < 5; ++i) client.Send("GET /x HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 5; ++i) {
    FakeCall call = held.Take();
    EXPECT_LE(calls.load(), i + 2);
    call.sink->Send(TextReply("a"));
    EXPECT_EQ(client.ReadResponse(), Ok("a"));
  }
}

TEST_F(Http1Test, SaysContinueBeforeTheBodyOnly) {
  Start();
  RawClient client(port());
  client.Send("POST /c HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.TakeBytes(25), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ab");
  EXPECT_EQ(client.ReadResponse(), Ok("POST /c ab"));
}

TEST_F(Http1Test, ClosesWhenAsked) {
  Start();
  RawClient client(port());
  client.Send("GET /v2 HTTP/1.1\r\nConnection: Close\r\n\r\n");
  EXPECT_EQ(client.ReadAll(),
            "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n"
            "Content-Type: text/plain\r\n\r\nGET /v2 ");
}

TEST_F(Http1Test, SpeaksHttp10) {
  Start();
  RawClient once(port());
  once.Send("GET /v2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.ReadAll(),
            "HTTP/1.0 200 OK\r\nContent-Length: 8\r\nContent-Type: text/plain\r\n\r\nGET /v2 ");
  RawClient keeps(port());
  keeps.Send("GET /v2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(keeps.ReadResponse().find("Connection: keep-alive\r\n"), std::string::npos);
  keeps.Send("GET /v2 HTTP/1.0\r\n\r\n");
  EXPECT_NE(keeps.ReadAll().find("HTTP/1.0 200"), std::string::npos);
}

TEST_F(Http1Test, AnswersHeadWithoutBody) {
  Start();
  RawClient client(port());
  client.Send("HEAD /v2 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(client.ReadResponse(false),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: text/plain\r\n\r\n");
  client.Send(kGet);
  EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
}

TEST_F(Http1Test, StreamsInChunks) {
  http_.on_call = [](FakeCall call) {
    call.sink->SendHead(TextReply(""));
    call.sink->SendChunk({Slice::OfString("abc")});
    std::thread([sink = call.sink] {
      sink->SendChunk({Slice::OfString(std::string(20, 'x'))});
      sink->End();
    }).join();
  };
  Start();
  RawClient client(port());
  client.Send("GET /s HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.ReadAll(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
            "Content-Type: text/plain\r\n\r\n3\r\nabc\r\n14\r\n" +
                std::string(20, 'x') + "\r\n0\r\n\r\n");
}

TEST_F(Http1Test, CancelsWhenTheClientCloses) {
  const auto cancelled = std::make_shared<Latch>(1);
  HeldCalls held;
  http_.on_call = [&](FakeCall call) {
    call.sink->CancelWith(MakeRef<CountingResponder>(cancelled));
    held.Add(std::move(call));
  };
  Start();
  RawClient client(port());
  client.Send(kGet);
  FakeCall call = held.Take();
  client.Close();
  cancelled->WaitUntil(kNoDeadline);
  call.sink->Send(TextReply("too late"));
}

TEST_F(Http1Test, CancelsWhenTheClientResets) {
  const auto cancelled = std::make_shared<Latch>(1);
  HeldCalls held;
  http_.on_call = [&](FakeCall call) {
    call.sink->CancelWith(MakeRef<CountingResponder>(cancelled));
    held.Add(std::move(call));
  };
  Start();
  RawClient client(port());
  client.Send(kGet);
  FakeCall call = held.Take();
  client.Reset();
  cancelled->WaitUntil(kNoDeadline);
  call.sink->Send(TextReply("too late"));
}

TEST_F(Http1Test, AnswersAClientThatHalfClosed) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start();
  RawClient client(port());
  client.Send(kGet);
  client.FinishSending();
  FakeCall call = held.Take();
  // The probe came, and the client is still there.
  EXPECT_EQ(client.TakeBytes(25), "HTTP/1.1 100 Continue\r\n\r\n");
  call.sink->Send(TextReply("still here"));
  EXPECT_NE(client.ReadAll().find("still here"), std::string::npos);
}

TEST_F(Http1Test, SaysWhatIsMissingOfAShortBody) {
  Start();
  RawClient client(port());
  client.Send("POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  client.FinishSending();
  EXPECT_NE(client.ReadAll().find("expected a request body of 10 bytes, got 3 before"),
            std::string::npos);
}

TEST_F(Http1Test, RefusesABodyItWasToldNotToRead) {
  http_.plan.reject_status = 405;
  http_.plan.reject_message = "Method Not Allowed";
  Start();
  RawClient client(port());
  client.Send("DELETE /a HTTP/1.1\r\nContent-Length: 100000000\r\n\r\nabc");
  EXPECT_EQ(client.ReadAll(),
            "HTTP/1.1 405 Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 30\r\n"
            "Connection: close\r\n\r\n{\"error\":\"Method Not Allowed\"}");
}

TEST_F(Http1Test, RefusesLargeBodiesWithoutReadingThem) {
  http_.plan.max_size = 1000;
  Start();
  RawClient declared(port());
  declared.Send("POST /a HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(declared.ReadResponse().compare(0, 12, "HTTP/1.1 413"), 0);
  RawClient chunked(port());
  chunked.Send("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n");
  EXPECT_EQ(chunked.ReadResponse().compare(0, 12, "HTTP/1.1 413"), 0);
}

TEST_F(Http1Test, RefusesBodiesThatDoNotFitBesideOthers) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start();
  const std::string mib(1 << 20, 'x');
  RawClient holder(port());
  holder.Send("POST /a HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n");
  holder.Send(mib);
  FakeCall call = held.Take();
  RawClient client(port());
  client.Send("POST /a HTTP/1.1\r\nContent-Length: 2000000000\r\n\r\n");
  EXPECT_EQ(client.ReadResponse().compare(0, 12, "HTTP/1.1 503"), 0);
  call.body = {};
  call.sink->Send(TextReply("ok"));
  EXPECT_EQ(holder.ReadResponse(), Ok("ok"));
}

TEST_F(Http1Test, AnswersBadRequestsAndCloses) {
  Start();
  struct Case {
    std::string_view request;
    std::string_view status;
  };
  const std::string huge = "GET / HTTP/1.1\r\nX: " + std::string(70000, 'x') + "\r\n\r\n";
  const Case cases[] = {
      {"GET / HTTP/1.1\nHost: x\n\n", "400"},
      {"GET / HTTP/1.1\r\nNoColon\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nA : b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nA:\r\n c\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
      {"GET / HTTP/2.0\r\n\r\n", "505"},
      {"GET /a b HTTP/1.1\r\n\r\n", "400"},
      {"\x16\x03\x01\x02\r\n\r\n", "400"},
      {huge, "431"},
  };
  for (const Case& test : cases) {
    RawClient client(port());
    client.Send(test.request);
    const std::string response = client.ReadResponse();
    EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 " + std::string(test.status)) << test.request;
    EXPECT_NE(response.find("{\"error\":\""), std::string::npos);
    EXPECT_TRUE(client.IsAtEnd());
  }
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
}

TEST_F(Http1Test, AnswersWhatCameBeforeABadRequest) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start();
  RawClient client(port());
  client.Send("GET /1 HTTP/1.1\r\n\r\nBAD\r\n\r\n");
  held.Take().sink->Send(TextReply("one"));
  EXPECT_EQ(client.ReadResponse(), Ok("one"));
  EXPECT_EQ(client.ReadResponse().substr(0, 12), "HTTP/1.1 400");
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(Http1Test, EndsASlowHead) {
  services_.limits.header_timeout = std::chrono::milliseconds(1);
  Start();
  RawClient client(port());
  client.Send("GET / HT");
  EXPECT_EQ(client.ReadResponse().substr(0, 12), "HTTP/1.1 408");
}

TEST_F(Http1Test, EndsASlowBody) {
  services_.limits.body_idle_timeout = std::chrono::milliseconds(1);
  Start();
  RawClient client(port());
  client.Send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(client.ReadResponse().substr(0, 12), "HTTP/1.1 408");
}

// However little of a large body comes at a time, it is progress.
TEST_F(Http1Test, WaitsForASlowBodyThatGoesOn) {
  services_.limits.body_idle_timeout = std::chrono::seconds(2);
  Start();
  RawClient client(port());
  const std::string body(size_t{1} << 20, 'b');
  client.Send("POST /a HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  size_t sent = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  while (std::chrono::steady_clock::now() < end) {
    client.Send(body.substr(0, 100));
    sent += 100;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  client.Send(body.substr(sent));
  EXPECT_EQ(client.ReadResponse(), Ok("POST /a " + body));
}

TEST_F(Http1Test, ClosesIdleConnectionsWhenTold) {
  services_.limits.idle_timeout = std::chrono::milliseconds(1);
  Start();
  RawClient client(port());
  client.Send(kGet);
  EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(Http1Test, AThousandIdleConnectionsHoldNoBlocks) {
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Send(kGet);
    EXPECT_EQ(clients.back()->ReadResponse(), Ok("GET /v2 "));
  }
  EXPECT_LE(pool_.live_blocks(), 1u);  // the loop's own
}

TEST_F(Http1Test, SurvivesManyClientsThatVanish) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) { held.Add(std::move(call)); };
  Start(2);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 64; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->Send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  }
  std::vector<FakeCall> calls;
  for (int i = 0; i < 128; ++i) calls.push_back(held.Take());
  for (size_t i = 0; i < clients.size(); ++i)
    i % 2 == 0 ? clients[i]->Reset() : clients[i]->Close();
  for (FakeCall& call : calls) call.sink->Send(TextReply("gone"));
}

}  // namespace
}  // namespace pt::server
