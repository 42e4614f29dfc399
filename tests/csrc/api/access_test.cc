#include "api/access.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api/grpc_methods.h"
#include "api/rest_peer.h"

namespace pt::api {
namespace {

AccessRules Rules(AccessProtocol protocol, const std::vector<std::string>& values) {
  auto rules = AccessRules::Parse(protocol, values);
  EXPECT_TRUE(rules.ok()) << rules.status().ToString();
  return std::move(rules).value();
}

std::string ParseError(AccessProtocol protocol, const std::vector<std::string>& values) {
  return AccessRules::Parse(protocol, values).status().message();
}

HttpRequestHead WithHeader(std::string_view name, std::string_view value) {
  HttpRequestHead head;
  head.headers.push_back({name, value});
  return head;
}

TEST(AccessRules, ReadsGroupsKeyAndValue) {
  const AccessRules rules =
      Rules(AccessProtocol::kHttp, {"health,metadata:k=v=:w", "", "statistics:other=x"});
  const HttpRequestHead right = WithHeader("K", "v=:w");
  EXPECT_EQ(rules.Refusal(ApiGroup::kHealth, &right), "");
  EXPECT_EQ(rules.Refusal(ApiGroup::kMetadata, &right), "");
  EXPECT_EQ(rules.Refusal(ApiGroup::kInference, nullptr), "");
  EXPECT_EQ(rules.Refusal(ApiGroup::kOpen, nullptr), "");
  EXPECT_EQ(rules.Refusal(ApiGroup::kStatistics, &right),
            "This API is restricted, expecting header 'other'");
}

TEST(AccessRules, TakesTheWholeValueOnly) {
  const AccessRules rules = Rules(AccessProtocol::kHttp, {"health:k=secret"});
  for (const char* value : {"", "s", "secre", "secret ", "Secret", "secretsecret", "secres"}) {
    const HttpRequestHead head = WithHeader("k", value);
    EXPECT_NE(rules.Refusal(ApiGroup::kHealth, &head), "") << value;
  }
  EXPECT_NE(rules.Refusal(ApiGroup::kHealth, nullptr), "");
}

TEST(AccessRules, OverGrpcTheKeyHasAPrefix) {
  const AccessRules rules = Rules(AccessProtocol::kGrpc, {"health:k=v"});
  const HttpRequestHead bare = WithHeader("k", "v");
  const HttpRequestHead right = WithHeader("triton-grpc-protocol-k", "v");
  EXPECT_EQ(rules.Refusal(ApiGroup::kHealth, &bare),
            "This protocol is restricted, expecting header 'triton-grpc-protocol-k'");
  EXPECT_EQ(rules.Refusal(ApiGroup::kHealth, &right), "");
}

TEST(AccessRules, RefusesOtherForms) {
  constexpr auto kHttp = AccessProtocol::kHttp;
  constexpr auto kGrpc = AccessProtocol::kGrpc;
  for (const char* value : {"health", "health,k=v", "health:k", "health:=v", "health:k="}) {
    EXPECT_EQ(ParseError(kHttp, {value}),
              "--http-restricted-api option format is '<config name>:<setting>=<value>'. Got " +
                  std::string(value));
  }
  EXPECT_EQ(ParseError(kHttp, {"nosuch:k=v"}), "unknown restricted api 'nosuch' ");
  EXPECT_EQ(ParseError(kHttp, {"health,:k=v"}), "unknown restricted api '' ");
  EXPECT_EQ(ParseError(kGrpc, {"nosuch:k=v"}), "unknown restricted protocol 'nosuch' ");
  EXPECT_EQ(ParseError(kHttp, {"health,metadata:k=v", "metadata:k2=v2"}),
            "restricted api 'metadata' can not be specified in multiple config groups");
}

TEST(AccessRules, EveryMethodOfTheServiceHasAGroup) {
  for (const GrpcMethod& method : GrpcMethods()) {
    const bool is_reflection = method.kind == MethodKind::kReflection;
    EXPECT_EQ(method.group == ApiGroup::kOpen, is_reflection) << method.path;
  }
}

TEST(RestrictedRest, RefusesBeforeMethodAndBody) {
  ServiceOptions options;
  options.http_access =
      Rules(AccessProtocol::kHttp,
            {"health,metadata,inference,shared-memory,model-config,model-repository,statistics,"
             "trace,logging:k=v"});
  RestPeer peer(options);
  const char* const kTargets[] = {
      "/v2",
      "/v2/health/live",
      "/v2/health/ready/",
      "/v2/models/m/ready",
      "/v2/models/m/versions/1",
      "/v2/models/m/infer",
      "/v2/models/m/generate",
      "/v2/models/m/generate_stream",
      "/v2/systemsharedmemory/status",
      "/v2/cudasharedmemory/region/r/unregister",
      "/v2/models/m/config",
      "/v2/repository/index",
      "/v2/repository/models/m/load",
      "/v2/models/stats",
      "/v2/models/m/trace/setting",
      "/v2/logging",
  };
  for (const char* target : kTargets) {
    PeerCall call;
    call.target = target;
    for (const char* method : {"GET", "POST", "PUT"}) {
      call.method = method;
      const auto reply = peer.Do(call);
      EXPECT_EQ(reply->head.status, 403) << method << target;
      EXPECT_EQ(reply->body, R"({"error":"This API is restricted, expecting header 'k'"})");
    }
    HttpRequestHead head;
    head.method = "POST";
    head.target = target;
    EXPECT_EQ(peer.rest.Plan(head, PortRole::kHttp).reject_status, 403) << target;
    head.headers.push_back({"K", "v"});
    EXPECT_EQ(peer.rest.Plan(head, PortRole::kHttp).reject_status, 0) << target;
    call.headers = head.headers;
    EXPECT_NE(peer.Do(call)->head.status, 403) << target;
  }
  PeerCall metrics;
  metrics.method = "GET";
  metrics.target = "/metrics";
  metrics.port = PortRole::kMetrics;
  EXPECT_EQ(peer.Do(metrics)->head.status, 200);
}

}  // namespace
}  // namespace pt::api
