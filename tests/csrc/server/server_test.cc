#include "server/server.h"

#include <gtest/gtest.h>

#include <string>

#include "backend/identity.h"
#include "raw_client.h"
#include "server/settings.h"

namespace pt::server {
namespace {

OptionValues Options(std::initializer_list<std::pair<const char*, std::string>> more = {}) {
  OptionValues options;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::string>>{
           {"http-address", "127.0.0.1"},
           {"grpc-address", "127.0.0.1"},
           {"http-port", "0"},
           {"grpc-port", "0"},
           {"metrics-port", "0"},
           {"log-info", "false"},
           {"log-error", "false"},
       }) {
    EXPECT_TRUE(options.Set(name, value).ok());
  }
  for (const auto& [name, value] : more) EXPECT_TRUE(options.Set(name, value).ok());
  return options;
}

std::unique_ptr<Server> Make(const OptionValues& options) {
  auto server = Server::Create(options);
  EXPECT_TRUE(server.ok()) << server.status().ToString();
  return std::move(server).value();
}

ModelConfig Echo() {
  ModelConfig config;
  config.name = "echo";
  config.inputs.push_back({"INPUT0", DataType::kFp32, {-1}});
  config.outputs.push_back({"OUTPUT0", DataType::kFp32, {-1}});
  return config;
}

Result<std::unique_ptr<Backend>> MakeIdentity() {
  return std::unique_ptr<Backend>(std::make_unique<backend::IdentityBackend>());
}

Status AddEcho(Server* server) {
  ModelConfig config = Echo();
  return server->AddModel(std::move(config), MakeIdentity);
}

std::string Get(int port, const std::string& path) {
  RawClient client(port);
  client.Send("GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
  return client.ReadAll();
}

std::string Infer(int port) {
  const std::string body =
      R"({"id":"7","inputs":[{"name":"INPUT0","shape":[2],"datatype":"FP32","data":[1.5,2]}]})";
  RawClient client(port);
  client.Send("POST /v2/models/echo/infer HTTP/1.1\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  return client.ReadResponse();
}

TEST(SettingsTest, RefusesEndpointsOnTheSamePort) {
  struct Case {
    const char* a;
    const char* b;
    const char* message;
  };
  for (const Case& test : std::initializer_list<Case>{
           {"http-port", "grpc-port",
            "The server cannot listen to HTTP requests and GRPC requests at the same address and "
            "port 127.0.0.1:19213"},
           {"http-port", "metrics-port",
            "The server cannot listen to HTTP requests and metrics requests at the same address "
            "and port 127.0.0.1:19213"},
           {"grpc-port", "metrics-port",
            "The server cannot listen to GRPC requests and metrics requests at the same address "
            "and port 127.0.0.1:19213"},
       }) {
    const auto settings = ReadSettings(Options({{test.a, "19213"}, {test.b, "19213"}}));
    ASSERT_FALSE(settings.ok());
    EXPECT_EQ(settings.status().message(), test.message);
  }
  EXPECT_TRUE(
      ReadSettings(
          Options({{"http-port", "19213"}, {"grpc-port", "19213"}, {"allow-grpc", "false"}}))
          .ok());
}

TEST(SettingsTest, ReadsEachDevicesPool) {
  OptionValues options = Options({{"cuda-memory-pool-byte-size", "1:0"}});
  ASSERT_TRUE(options.Set("cuda-memory-pool-byte-size", "3:1048576").ok());
  const auto settings = ReadSettings(options);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->cuda.device_bytes, size_t{64} << 20);
  EXPECT_EQ(settings->cuda.device_bytes_of, (std::map<int, size_t>{{1, 0}, {3, 1 << 20}}));
  for (const auto& [text, reason] : std::initializer_list<std::pair<const char*, const char*>>{
           {"5", "requires format <first>:<second>. Found: 5"},
           {"0:x", "Invalid option value. Got x"},
           {"x:1", "Invalid option value. Got x"},
           {"-1:1", "Invalid option value. Got -1"},
           {"0:-1", "Invalid option value. Got -1"},
           {"0:99999999999999999999", "Invalid option value. Got 99999999999999999999"},
           {"0:1 ", "Invalid option value. Got 1 "},
       }) {
    const auto refused = ReadSettings(Options({{"cuda-memory-pool-byte-size", text}}));
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_NE(refused.status().message().find(reason), std::string::npos)
        << refused.status().message();
  }
}

TEST(SettingsTest, TakesZeroAsNoLimit) {
  const auto settings = ReadSettings(Options(
      {{"header-timeout-secs", "0"}, {"max-connections", "0"}, {"max-inflight-bytes", "0"}}));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings.value().limits.header_timeout, kForever);
  EXPECT_GT(settings.value().limits.max_connections, int64_t{1} << 40);
  EXPECT_GT(settings.value().max_inflight_bytes, uint64_t{1} << 60);
}

TEST(ServerTest, ServesModelsAddedBeforeAndAfterTheStart) {
  const auto server = Make(Options());
  EXPECT_FALSE(server->is_ready());
  ASSERT_TRUE(AddEcho(server.get()).ok());
  ASSERT_TRUE(server->Start().ok());
  EXPECT_TRUE(server->is_ready());
  EXPECT_NE(Infer(server->http_port()).find(R"("data":[1.5,2.0])"), std::string::npos);
  ModelConfig second = Echo();
  second.version = 2;
  ASSERT_TRUE(server->AddModel(second, MakeIdentity).ok());
  EXPECT_NE(Infer(server->http_port()).find(R"("model_version":"2")"), std::string::npos);
  ASSERT_TRUE(server->RemoveModel("echo", 2).ok());
  EXPECT_NE(Infer(server->http_port()).find(R"("model_version":"1")"), std::string::npos);
}

TEST(ServerTest, SpeaksHttp1OnEveryPort) {
  const auto server = Make(Options());
  ASSERT_TRUE(server->Start().ok());
  EXPECT_EQ(Get(server->http_port(), "/v2/health/ready").substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_EQ(Get(server->grpc_port(), "/v2/health/ready").substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_NE(Get(server->metrics_port(), "/metrics").find("pytriton_connections 1"),
            std::string::npos);
}

TEST(ServerTest, FailsOnABusyPortAndNamesIt) {
  const auto first = Make(Options());
  ASSERT_TRUE(first->Start().ok());
  const std::string port = std::to_string(first->grpc_port());
  const auto second = Make(Options({{"grpc-port", port}}));
  const Status status = second->Start();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.message(), "failed to start GRPC service: Unavailable - Socket '127.0.0.1:" +
                                  port + "' already in use ");
  EXPECT_FALSE(second->is_running());
}

TEST(ServerTest, ServesAgainAfterAStopWithItsModels) {
  const auto server = Make(Options());
  ASSERT_TRUE(AddEcho(server.get()).ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(server->Start().ok());
    EXPECT_EQ(server->Start().code(), Code::kAlreadyExists);
    EXPECT_NE(Infer(server->http_port()).find("HTTP/1.1 200"), std::string::npos);
    EXPECT_TRUE(server->Stop().ok());
    EXPECT_TRUE(server->Stop().ok());
    EXPECT_FALSE(server->is_ready());
    EXPECT_EQ(server->http_port(), 0);
  }
}

TEST(ServerTest, LivesBesideOthersInOneProcess) {
  const auto a = Make(Options());
  const auto b = Make(Options());
  ASSERT_TRUE(AddEcho(a.get()).ok());
  ASSERT_TRUE(a->Start().ok());
  ASSERT_TRUE(b->Start().ok());
  EXPECT_NE(Infer(a->http_port()).find("HTTP/1.1 200"), std::string::npos);
  EXPECT_NE(Infer(b->http_port()).find("HTTP/1.1 404"), std::string::npos);
}

}  // namespace
}  // namespace pt::server
