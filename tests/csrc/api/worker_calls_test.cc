#include "api/worker_calls.h"

#include <gtest/gtest.h>

#include "api/rest_peer.h"

namespace pt::api {
namespace {

class WorkerCallsTest : public ::testing::Test {
 protected:
  WorkerCallsTest() {
    for (const bool is_decoupled : {false, true}) {
      ModelConfig config =
          EchoConfig(is_decoupled ? "many" : "echo", {Spec("X", DataType::kFp32, {-1})}, 0);
      config.is_decoupled = is_decoupled;
      EXPECT_TRUE(peer.repository.AddModel(std::move(config), nullptr).ok());
    }
    peer.prometheus.AddCustom(&calls.metrics());
  }

  std::string Ask(const std::string& kind, const std::string& json, CallFiles files = {}) {
    std::string answer = "none";
    calls.Call(1, kind, json, std::move(files), [&](Result<std::string> result) {
      answer = result.ok() ? *result : result.status().message();
    });
    return answer;
  }

  InnerRequest Request(std::string model) {
    static const float kValues[] = {1, 2};
    InnerRequest request;
    request.model_name = std::move(model);
    TensorView view;
    view.type = DataType::kFp32;
    view.shape = Shape({2});
    view.data = Slice(nullptr, reinterpret_cast<const char*>(kValues), sizeof(kValues));
    request.inputs.push_back({"X", view});
    return request;
  }

  std::string Infer(InnerRequest request) {
    std::string text;
    calls.Infer(std::move(request), [&](InnerResponse&& response, Finality finality) {
      text += response.status.ok() ? "" : response.status.message();
      for (const NamedTensor& output : response.outputs) text += output.name + " ";
      if (finality == Finality::kFinal) text += "final";
    });
    return text;
  }

  RestPeer peer;
  WorkerCalls calls{&peer.repository};
};

TEST_F(WorkerCallsTest, RunsAnotherModelAndNamesItsOutputs) {
  EXPECT_EQ(Infer(Request("echo")), "X final");
  InnerRequest many = Request("many");
  many.takes_many = true;
  EXPECT_EQ(Infer(std::move(many)), "X final");
}

TEST_F(WorkerCallsTest, RefusesWithTheDocumentedTexts) {
  const std::string prefix = " - Error when running inference: ";
  EXPECT_EQ(Infer(Request("nope")), "Model nope" + prefix +
                                        "Failed for execute the inference request. Model 'nope' "
                                        "is not ready.final");
  EXPECT_NE(Infer(Request("many")).find("Please use 'decoupled=True' argument"), std::string::npos);
  InnerRequest request = Request("echo");
  request.inputs[0].name = "Q";
  EXPECT_NE(Infer(std::move(request)).find("Model echo" + prefix), std::string::npos);
  request = Request("echo");
  request.requested_outputs = {"Z"};
  EXPECT_EQ(Infer(std::move(request)),
            "Model echo" + prefix + "unexpected inference output 'Z' for model 'echo'final");
}

TEST_F(WorkerCallsTest, CancelReachesTheCalledModel) {
  RequestPtr kept;
  peer.run = [&](RequestPtr request) { kept = std::move(request); };
  std::string text;
  const RefPtr<Responder> call =
      calls.Infer(Request("echo"),
                  [&](InnerResponse&& response, Finality) { text = response.status.message(); });
  EXPECT_FALSE(kept->is_cancelled());
  call->Cancel();
  EXPECT_TRUE(kept->is_cancelled());
  kept->Fail(Cancelled("gone"));
  EXPECT_EQ(text, "gone");
}

TEST_F(WorkerCallsTest, MetricsAppearInTheText) {
  EXPECT_EQ(Ask("metric_family", R"({"name":"h","description":"a\nb","kind":2})"),
            R"({"family":1})");
  EXPECT_EQ(Ask("metric", R"({"family":1,"labels":{"k":"\""},"buckets":[0.5,2]})"),
            R"({"metric":2})");
  Ask("metric_family", R"({"name":"c","description":"d","kind":0})");
  Ask("metric", R"({"family":3,"labels":{},"buckets":[]})");
  const MetricUpdate updates[] = {{2, false, 0, {1, 0, 2}, 9.5}, {4, false, 3, {}, 0}};
  calls.UpdateMetrics(1, updates);
  EXPECT_EQ(Ask("metric_value", R"({"metric":4})"), R"({"value":3.0})");
  const std::string text = peer.prometheus.Text();
  EXPECT_NE(text.find("# HELP c d\n# TYPE c counter\nc 3\n# HELP h a\\nb\n# TYPE h histogram\n"
                      "h_count{k=\"\\\"\"} 3\nh_sum{k=\"\\\"\"} 9.5\n"
                      "h_bucket{k=\"\\\"\",le=\"0.5\"} 1\nh_bucket{k=\"\\\"\",le=\"2\"} 1\n"
                      "h_bucket{k=\"\\\"\",le=\"+Inf\"} 3\n"),
            std::string::npos)
      << text;
  calls.CloseWorker(1);
  EXPECT_EQ(peer.prometheus.Text().find("# HELP c"), std::string::npos);
}

TEST_F(WorkerCallsTest, AnswersWhetherModelsAreReady) {
  EXPECT_EQ(Ask("is_model_ready", R"({"name":"echo","version":""})"), R"({"ready":true})");
  EXPECT_EQ(Ask("is_model_ready", R"({"name":"nope","version":""})"), R"({"ready":false})");
  EXPECT_NE(Ask("is_model_ready", R"({"name":"echo","version":"x"})").find("(details: stol)"),
            std::string::npos);
}

TEST_F(WorkerCallsTest, LoadsThroughTheHooks) {
  EXPECT_NE(Ask("load_model", R"({"name":"a","config":""})").find("not allowed"),
            std::string::npos);
  std::string seen;
  ModelHooks hooks;
  hooks.load = [&](const std::string& name, const std::optional<std::string>& config,
                   const std::map<std::string, std::string>& files, const ModelHooks::Done& done) {
    seen = name + config.value_or("-");
    for (const auto& [path, bytes] : files) seen.append(path).append("=").append(bytes);
    done(NotFound("no such model"));
  };
  hooks.unload = [&](const std::string& name, const ModelHooks::Done&) { seen = "un" + name; };
  calls.set_model_hooks(std::move(hooks));
  EXPECT_EQ(Ask("load_model", R"({"name":"a","config":"{}"})", {{"file:1/model.py", "x"}}),
            "no such model");
  EXPECT_EQ(seen, "a{}1/model.py=x");
  EXPECT_EQ(Ask("unload_model", R"({"name":"a","unload_dependents":false})"), "{}");
  EXPECT_EQ(seen, "una");
  EXPECT_NE(Ask("load_model", R"({"name":"a","config":""})", {{"file:1/m.py", "x"}})
                .find("files should be a dictionary"),
            std::string::npos);
}

TEST_F(WorkerCallsTest, JunkIsAnsweredWithAnError) {
  for (const char* json : {"", "[]", "{", "{\"name\":1}", "{}", "{\"metric\":-1}", "null"}) {
    for (const char* kind : {"load_model", "unload_model", "is_model_ready", "metric_family",
                             "metric", "metric_value", "metric_drop", "other"}) {
      EXPECT_NE(Ask(kind, json), "none") << kind << json;
    }
  }
}

}  // namespace
}  // namespace pt::api
