#include "server/front.h"

#include <sys/stat.h>

#include <cstdio>
#include <thread>

#include "front_fixture.h"

namespace pt::server {
namespace {

constexpr std::string_view kBareGet = "GET /v2 HTTP/1.1\r\n\r\n";

Endpoint Unix(const std::string& path) {
  Endpoint endpoint{api::PortRole::kHttp, "HTTP", "HTTPService", {}};
  endpoint.listen.unix_path = path;
  return endpoint;
}

std::string SocketPath() {
  return ::testing::TempDir() + "pt_front_" + std::to_string(getpid()) + ".sock";
}

TEST_F(FrontTest, NamesTheBusyPort) {
  Start();
  Endpoint taken = Tcp();
  taken.listen.port = port();
  Front second(&services_, 1);
  const Status status = second.Start({Tcp(), taken});
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "failed to start HTTP service: Unavailable - Socket '127.0.0.1:" +
                                  std::to_string(port()) + "' already in use ");
}

TEST_F(FrontTest, RefusesAnAddressThatIsNotOurs) {
  Endpoint endpoint = Tcp();
  endpoint.listen.address = "256.1.1.1";
  Front front(&services_, 1);
  EXPECT_EQ(front.Start({endpoint}).code(), Code::kInvalidArgument);
}

TEST_F(FrontTest, TellsThePortsRole) {
  http_.on_call = [](FakeCall call) {
    call.sink->Send(TextReply(call.role == api::PortRole::kMetrics ? "metrics" : "http"));
  };
  Start(1, {Tcp(), Tcp(api::PortRole::kMetrics)});
  RawClient http(port());
  RawClient metrics(front_->port(api::PortRole::kMetrics));
  http.Send(kBareGet);
  metrics.Send(kBareGet);
  EXPECT_EQ(http.ReadResponse(), Ok("http"));
  EXPECT_EQ(metrics.ReadResponse(), Ok("metrics"));
}

TEST_F(FrontTest, ServesOnAUnixSocketAndRemovesIt) {
  const std::string path = SocketPath();
  Start(1, {Unix(path)});
  RawClient client(path);
  client.Send(kBareGet);
  EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
  Front second(&services_, 1);
  EXPECT_EQ(second.Start({Unix(path)}).code(), Code::kUnavailable);
  EXPECT_TRUE(Stop().ok());
  struct stat info{};
  EXPECT_NE(stat(path.c_str(), &info), 0);
}

TEST_F(FrontTest, ReplacesAStaleUnixSocketButNoOtherFile) {
  const std::string path = SocketPath();
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  Start(1, {Unix(path)});
  EXPECT_TRUE(RawClient(path).is_connected());
  EXPECT_TRUE(Stop().ok());

  std::FILE* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  Front second(&services_, 1);
  EXPECT_EQ(second.Start({Unix(path)}).code(), Code::kInvalidArgument);
  EXPECT_EQ(std::remove(path.c_str()), 0);
}

TEST_F(FrontTest, RefusesConnectionsBeyondTheLimit) {
  services_.limits.max_connections = 1;
  Start();
  RawClient first(port());
  first.Send(kBareGet);
  EXPECT_EQ(first.ReadResponse(), Ok("GET /v2 "));
  RawClient second(port());
  const std::string response = second.ReadResponse();
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 503");
  EXPECT_EQ(response.back(), '}');
  EXPECT_TRUE(second.IsAtEnd());
}

TEST_F(FrontTest, AnswersNewConnectionsWhileItWaitsForCallsUnderWay) {
  HeldCalls held;
  http_.on_call = [&held](FakeCall call) {
    if (call.target == "/held") return held.Add(std::move(call));
    call.sink->Send(TextReply("not ready"));
  };
  Start();
  RawClient holder(port());
  holder.Send("GET /held HTTP/1.1\r\n\r\n");
  FakeCall call = held.Take();
  std::thread stopper([this] { EXPECT_TRUE(Stop().ok()); });
  RawClient prober(port());
  prober.Send(kBareGet);
  EXPECT_EQ(prober.ReadResponse(), Ok("not ready"));
  call.sink->Send(TextReply("done"));
  EXPECT_NE(holder.ReadResponse().find("done"), std::string::npos);
  stopper.join();
  EXPECT_TRUE(prober.IsAtEnd());
}

TEST_F(FrontTest, StopsAtOnceWithIdleConnections) {
  Start(2);
  RawClient fresh(port());
  RawClient used(port());
  used.Send(kBareGet);
  EXPECT_EQ(used.ReadResponse(), Ok("GET /v2 "));
  EXPECT_TRUE(Stop().ok());
  EXPECT_TRUE(used.IsAtEnd());
}

TEST_F(FrontTest, FailsAndCancelsWhatOutlivesTheDeadline) {
  const auto cancelled = std::make_shared<Latch>(1);
  HeldCalls held;
  http_.on_call = [&](FakeCall call) {
    call.sink->CancelWith(MakeRef<CountingResponder>(cancelled));
    held.Add(std::move(call));
  };
  Start();
  RawClient client(port());
  client.Send(kBareGet);
  FakeCall call = held.Take();
  EXPECT_EQ(Stop(Duration(0)).code(), Code::kUnavailable);
  cancelled->WaitUntil(kNoDeadline);
  const std::string response = client.ReadResponse();
  EXPECT_EQ(response.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(response.find("exit-timeout-secs has passed"), std::string::npos);
  call.sink->Send(TextReply("after the loops have gone"));
}

TEST_F(FrontTest, ServesAgainAfterAStop) {
  for (int i = 0; i < 3; ++i) {
    Start();
    RawClient client(port());
    client.Send(kBareGet);
    EXPECT_EQ(client.ReadResponse(), Ok("GET /v2 "));
    EXPECT_TRUE(Stop().ok());
  }
}

}  // namespace
}  // namespace pt::server
