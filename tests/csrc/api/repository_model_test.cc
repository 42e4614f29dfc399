// What clients see of a model that was read from files: configuration, metadata, classes, shapes.
#include <gtest/gtest.h>

#include "api/config_proto.h"
#include "api/rest_peer.h"
#include "repo/model_directory.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

class RepositoryModel : public ::testing::Test {
 protected:
  // Serves it under the name "m", version 3.
  void Load(const std::string& config) {
    files_.WriteConfig(config);
    const auto document = files_.Read();
    ASSERT_TRUE(document.ok()) << document.status().ToString();
    auto finished = document->Finish(3);
    ASSERT_TRUE(finished.ok()) << finished.status().ToString();
    ASSERT_TRUE(peer_.repository.AddModel(std::move(finished).value(), nullptr).ok());
  }

  std::string Get(const std::string& target) {
    PeerCall call;
    call.method = "GET";
    call.target = target;
    return peer_.Do(call)->body;
  }

  std::string Infer(const std::string& body) {
    PeerCall call;
    call.target = "/v2/models/m/infer";
    call.body = body;
    return peer_.Do(call)->body;
  }

  repo::testing::ModelDirectory files_;
  RestPeer peer_;
};

TEST_F(RepositoryModel, ShowsItsWholeConfiguration) {
  Load(
      "backend: 'x' metric_tags { key: 't' value: 'u' } version_policy { all {} } "
      "input { name: 'A' data_type: TYPE_FP32 dims: 1 format: FORMAT_NONE }");
  const std::string json = Get("/v2/models/m/config");
  EXPECT_NE(json.find(R"("version_policy":{"all":{}})"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("metric_tags":{"t":"u"})"), std::string::npos) << json;
  EXPECT_EQ(json, Get("/v2/models/m/versions/3/config"));

  inference::ModelConfigResponse response;
  ASSERT_TRUE(response.ParseFromString(
      ModelConfigResponseProto(peer_.repository.router().Find("m", "").value()->config())));
  EXPECT_EQ(response.config().metric_tags().at("t"), "u");
  EXPECT_TRUE(response.config().version_policy().has_all());
}

TEST_F(RepositoryModel, MetadataHasTheClientsShapes) {
  Load(
      "backend: 'x' max_batch_size: 4 "
      "input { name: 'A' data_type: TYPE_STRING dims: 1 reshape {} } "
      "output { name: 'B' data_type: TYPE_BF16 dims: [ 2, -1 ] reshape { shape: [ 1, 2, -1 ] } }");
  EXPECT_EQ(Get("/v2/models/m"),
            R"({"name":"m","versions":["3"],"platform":"x","inputs":[{"name":"A",)"
            R"("datatype":"BYTES","shape":[-1,1]}],"outputs":[{"name":"B","datatype":"BF16",)"
            R"("shape":[-1,2,-1]}]})");
}

TEST_F(RepositoryModel, ClassifiesWithLabelsOfItsFile) {
  files_.Write("labels.txt", "cat\ndog\n");
  Load(
      "backend: 'x' max_batch_size: 4 input { name: 'A' data_type: TYPE_FP32 dims: 3 } "
      "output { name: 'A' data_type: TYPE_FP32 dims: 3 label_filename: 'labels.txt' }");
  EXPECT_EQ(Infer(R"({"inputs":[{"name":"A","shape":[2,3],"datatype":"FP32",)"
                  R"("data":[1,2,3,6,5,4]}],)"
                  R"("outputs":[{"name":"A","parameters":{"classification":2}}]})"),
            R"({"model_name":"m","model_version":"3","outputs":[{"name":"A","datatype":"BYTES",)"
            R"("shape":[2,2],"data":["3.000000:2","2.000000:1:dog","6.000000:0:cat",)"
            R"("5.000000:1:dog"]}]})");
}

TEST_F(RepositoryModel, ReshapesThereAndBack) {
  Load(
      "backend: 'x' max_batch_size: 4 "
      "input { name: 'A' data_type: TYPE_INT8 dims: 4 reshape { shape: [ 2, 2 ] } } "
      "output { name: 'A' data_type: TYPE_INT8 dims: [ 1, 4 ] reshape { shape: [ 2, 2 ] } }");
  Shape seen;
  peer_.run = [&seen](RequestPtr request) {
    seen = request->inputs[0].tensor.shape;
    request->Respond(Echo(*request), Finality::kFinal);
  };
  EXPECT_EQ(Infer(R"({"inputs":[{"name":"A","shape":[1,4],"datatype":"INT8","data":[1,2,3,4]}]})"),
            R"({"model_name":"m","model_version":"3","outputs":[{"name":"A","datatype":"INT8",)"
            R"("shape":[1,1,4],"data":[1,2,3,4]}]})");
  EXPECT_EQ(seen, (Shape{1, 2, 2}));
}

}  // namespace
}  // namespace pt::api
