#include "api/rest_service.h"

#include <gtest/gtest.h>

#include <string>

#include "api/rest_peer.h"
#include "api/tracer.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

class RestRoutes : public ::testing::Test {
 protected:
  RestRoutes() {
    peer.service.AllowTracing(&tracer);
    EXPECT_TRUE(
        peer.repository.AddModel(EchoConfig("m", {Spec("A", DataType::kFp32, {-1})}, 4), nullptr)
            .ok());
  }

  RefPtr<KeptReply> Do(std::string method, std::string target, std::string body = "",
                       PortRole port = PortRole::kHttp) {
    PeerCall call;
    call.method = std::move(method);
    call.target = std::move(target);
    call.body = std::move(body);
    call.port = port;
    return peer.Do(call);
  }

  Tracer tracer{TraceOptions(), nullptr, nullptr};
  RestPeer peer;
};

TEST_F(RestRoutes, AnswersByPathAndMethod) {
  const struct {
    const char* method;
    const char* target;
    int status;
    const char* body;
  } kRows[] = {
      {"GET", "/v2/health/live", 200, ""},
      {"GET", "/v2/health/ready?x=1", 200, ""},
      {"GET", "http://host:8000/v2/health/live", 200, ""},
      {"POST", "/v2/health/live", 405, R"({"error":"Method Not Allowed"})"},
      {"HEAD", "/v2/models/m", 405, R"({"error":"Method Not Allowed"})"},
      {"GET", "/v2/models/m/infer", 405, R"({"error":"Method Not Allowed"})"},
      {"GET", "/v2/health/live/", 200, ""},
      {"GET", "/v2/models/m/ready/?x=1", 200, ""},
      {"GET", "/v2/health/live//", 404, R"({"error":"Not Found"})"},
      {"GET", "/metrics", 404, R"({"error":"Not Found"})"},
      {"GET", "/", 404, R"({"error":"Not Found"})"},
      {"GET", "*", 404, R"({"error":"Not Found"})"},
      {"GET", "/v2/models/m/versions/x", 404, R"({"error":"Not Found"})"},
      {"GET", "/v2/models/m/versions/", 404, R"({"error":"Not Found"})"},
      {"GET", "/v2/models/m/ready", 200, ""},
      {"GET", "/v2/models/m/versions/01/ready", 200, ""},
      {"GET", "/v2/models/m/versions/2/ready", 400, R"({"error":"Model version not ready"})"},
      {"GET", "/v2/models/none/ready", 400, R"({"error":"Model version not ready"})"},
      {"GET", "/v2/models/m", 200,
       R"({"name":"m","versions":["1"],"platform":"python","inputs":[{"name":"A","datatype":"FP32",)"
       R"("shape":[-1,-1]}],"outputs":[{"name":"A","datatype":"FP32","shape":[-1,-1]}]})"},
      {"GET", "/v2/models/none", 404,
       R"({"error":"Request for unknown model: 'none' is not found"})"},
      {"POST", "/v2/repository/index", 200, R"([{"name":"m","version":"1","state":"READY"}])"},
      {"POST", "/v2/repository/models/m/load", 503,
       R"({"error":"explicit model load / unload is not allowed if polling is enabled"})"},
      {"POST", "/v2/repository/r/models/m/unload", 501,
       R"({"error":"'repository_name' specification is not supported"})"},
      {"GET", "/v2/systemsharedmemory/status", 200, "[]"},
      {"GET", "/v2/cudasharedmemory/region/r/status", 200, "[]"},
      {"POST", "/v2/systemsharedmemory/region/r/register", 501,
       R"({"error":"Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."})"},
      {"POST", "/v2/cudasharedmemory/unregister", 200, ""},
      {"GET", "/v2/trace/setting", 200,
       R"({"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"","trace_mode":"triton"})"},
      {"GET", "/v2/models/none/trace/setting", 400,
       R"({"error":"Request for unknown model : none"})"},
      {"GET", "/v2/models/none/stats", 400,
       R"({"error":"requested model 'none' is not available"})"},
      {"GET", "/v2/models/m/versions/7/stats", 400,
       R"({"error":"requested model version is not available for model 'm'"})"},
  };
  for (const auto& row : kRows) {
    const auto reply = Do(row.method, row.target);
    EXPECT_EQ(reply->head.status, row.status) << row.target;
    EXPECT_EQ(reply->body, row.body) << row.target;
    EXPECT_EQ(reply->sends, 1);
  }
}

TEST_F(RestRoutes, TellsAboutTheServer) {
  const auto reply = Do("GET", "/v2");
  EXPECT_EQ(reply->head.content_type, "application/json");
  EXPECT_EQ(
      reply->body.rfind(R"({"name":"triton","version":"","extensions":["classification",)", 0), 0u)
      << reply->body;
}

TEST_F(RestRoutes, ReadyTurnsFalseWhileDraining) {
  peer.service.set_draining();
  EXPECT_EQ(Do("GET", "/v2/health/ready")->head.status, 400);
  EXPECT_EQ(Do("GET", "/v2/health/live")->head.status, 200);
}

TEST_F(RestRoutes, WritesStatistics) {
  const std::string zero = R"({"count":0,"ns":0})";
  EXPECT_EQ(Do("GET", "/v2/models/m/versions/01/stats")->body,
            R"({"model_stats":[{"name":"m","version":"1","last_inference":0,"inference_count":0,)"
            R"("execution_count":0,"inference_stats":{"success":)" +
                zero + R"(,"fail":)" + zero + R"(,"queue":)" + zero + R"(,"compute_input":)" +
                zero + R"(,"compute_infer":)" + zero + R"(,"compute_output":)" + zero +
                R"(,"cache_hit":)" + zero + R"(,"cache_miss":)" + zero +
                R"(},"response_stats":{},"batch_stats":[],"memory_usage":[]}]})");
}

TEST_F(RestRoutes, ChangesLogging) {
  EXPECT_EQ(Do("GET", "/v2/logging")->body,
            R"({"log_file":"","log_info":true,"log_warning":true,"log_error":true,)"
            R"("log_verbose_level":0,"log_format":"default"})");
  EXPECT_EQ(Do("POST", "/v2/logging", R"({"log_info":false,"log_format":"ISO8601"})")->body,
            R"({"log_file":"","log_info":false,"log_warning":true,"log_error":true,)"
            R"("log_verbose_level":0,"log_format":"ISO8601"})");
  EXPECT_EQ(Do("POST", "/v2/logging", R"({"log_file":"x"})")->head.status, 501);
  EXPECT_EQ(Do("POST", "/v2/logging", R"({"log_format":"x"})")->body,
            wire::JsonError("invalid argument for --log_format, got: x"));
  const auto wrong = Do("POST", "/v2/logging", R"({"log_verbose_level":-1})");
  EXPECT_EQ(wrong->head.status, 400);
  EXPECT_EQ(Do("POST", "/v2/logging")->head.status, 400);
}

TEST_F(RestRoutes, TracesNothingWithoutAFile) {
  EXPECT_EQ(Do("POST", "/v2/trace/setting", R"({"trace_level":["OFF"]})")->head.status, 200);
  EXPECT_EQ(Do("POST", "/v2/trace/setting", R"({"trace_level":["TIMESTAMPS"]})")->body,
            wire::JsonError("Attempting to set invalid trace setting :trace file name is not "
                            "given"));
}

TEST_F(RestRoutes, IndexFiltersByState) {
  EXPECT_EQ(Do("POST", "/v2/repository/index", R"({"ready":true})")->head.status, 200);
  EXPECT_EQ(Do("POST", "/v2/repository/index", R"({"ready":1})")->body,
            wire::JsonError("Invalid value for 'ready': expected a boolean, at $.ready"));
}

TEST_F(RestRoutes, MetricsPortServesMetricsOnly) {
  peer.prometheus.Add(
      {"pytriton_connections", "Open connections", MetricType::kGauge, [] { return 2.0; }});
  const auto reply = Do("GET", "/metrics", "", PortRole::kMetrics);
  EXPECT_EQ(reply->head.content_type, "text/plain; charset=utf-8");
  const std::string expected[] = {
      "# HELP nv_inference_request_success Number of successful inference requests, all batch "
      "sizes\n# TYPE nv_inference_request_success counter\n"
      "nv_inference_request_success{model=\"m\",version=\"1\"} 0\n",
      "nv_inference_request_failure{model=\"m\",reason=\"CANCELED\",version=\"1\"} 0\n",
      "# TYPE nv_inference_pending_request_count gauge\n"
      "nv_inference_pending_request_count{model=\"m\",version=\"1\"} 3\n",
      "# TYPE pytriton_connections gauge\npytriton_connections 2\n",
  };
  for (const std::string& text : expected) {
    EXPECT_NE(reply->body.find(text), std::string::npos) << text << "\nin\n" << reply->body;
  }
  EXPECT_EQ(Do("POST", "/metrics", "", PortRole::kMetrics)->head.status, 405);
  EXPECT_EQ(Do("GET", "/v2/health/live", "", PortRole::kMetrics)->head.status, 404);
}

TEST_F(RestRoutes, PlansBodies) {
  HttpRequestHead head;
  head.method = "POST";
  head.target = "/v2/models/m/infer";
  head.headers = {{"Inference-Header-Content-Length", "230"}};
  const BodyPlan binary = peer.rest.Plan(head, PortRole::kHttp);
  EXPECT_EQ(binary.reject_status, 0);
  EXPECT_EQ(binary.align_offset, 230u);
  EXPECT_EQ(binary.max_size, peer.service.options().max_body_bytes);
  head.headers = {{"Content-Length", "70000000"}};
  const BodyPlan json = peer.rest.Plan(head, PortRole::kHttp);
  EXPECT_EQ(json.reject_status, 400);
  EXPECT_EQ(json.max_size, peer.service.options().max_json_bytes);
}

TEST_F(RestRoutes, GeneratesOneObjectWithSortedMembers) {
  const auto reply = Do("POST", "/v2/models/m/generate", R"({"A":[1,2],"id":"q","z":1})");
  EXPECT_EQ(reply->body, R"({"A":[1.0,2.0],"id":"q","model_name":"m","model_version":"1"})");
  EXPECT_EQ(Do("POST", "/v2/models/m/generate", R"({"A":3})")->body,
            R"({"A":3.0,"model_name":"m","model_version":"1"})");
  EXPECT_EQ(Do("POST", "/v2/models/m/generate", R"({"A":[[1]]})")->head.status, 400);
  EXPECT_EQ(Do("POST", "/v2/models/m/generate", R"({"A":1,"n":null})")->body,
            wire::JsonError("parameter 'n' has invalid type. It should be either 'int', 'bool', or "
                            "'string'., at $.n"));
}

TEST_F(RestRoutes, StreamsOneEventAResponse) {
  peer.run = [](RequestPtr request) {
    request->AnswerLater();
    request->Respond(Echo(*request), Finality::kMore);
    request->Respond(Echo(*request), Finality::kMore);
    request->Respond({}, Finality::kFinal);
  };
  const auto stream = Do("POST", "/v2/models/m/generate_stream", R"({"A":[1]})");
  EXPECT_EQ(stream->head.content_type, "text/event-stream; charset=utf-8");
  const std::string event = "data: {\"A\":1.0,\"model_name\":\"m\",\"model_version\":\"1\"}\n\n";
  EXPECT_EQ(stream->chunks, (std::vector<std::string>{event, event}));
  EXPECT_TRUE(stream->has_ended);
  const auto one = Do("POST", "/v2/models/m/generate", R"({"A":[1]})");
  EXPECT_EQ(one->sends, 1);
  EXPECT_EQ(one->body,
            wire::JsonError("generate expects model to produce exactly 1 response, use generate "
                            "stream for model that generates various number of responses"));
}

}  // namespace
}  // namespace pt::api
