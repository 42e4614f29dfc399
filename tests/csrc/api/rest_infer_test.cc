#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "api/rest_infer_reply.h"
#include "api/rest_peer.h"
#include "wire/content_coding.h"

namespace pt::api {
namespace {

class RestInfer : public ::testing::Test {
 protected:
  RestInfer() {
    Add(EchoConfig("m", {Spec("A", DataType::kFp32, {2}), Spec("B", DataType::kInt8, {-1})}, 4));
    Add(EchoConfig("one", {Spec("X", DataType::kFp32, {-1})}, 0));
    Add(EchoConfig("text", {Spec("S", DataType::kBytes, {-1})}, 0));
    for (const DataType type :
         {DataType::kBool, DataType::kUint8, DataType::kUint16, DataType::kUint32,
          DataType::kUint64, DataType::kInt8, DataType::kInt16, DataType::kInt32, DataType::kInt64,
          DataType::kFp32, DataType::kFp64, DataType::kBytes, DataType::kFp16}) {
      Add(EchoConfig("t" + std::string(DataTypeName(type)), {Spec("X", type, {-1})}, 0));
    }
    ModelConfig stream = EchoConfig("stream", {Spec("X", DataType::kFp32, {1})}, 0);
    stream.is_decoupled = true;
    Add(std::move(stream));
  }

  void Add(ModelConfig config) {
    ASSERT_TRUE(peer.repository.AddModel(std::move(config), nullptr).ok());
  }

  RefPtr<KeptReply> Infer(std::string model, std::string body,
                          std::vector<HeaderView> headers = {}) {
    PeerCall call;
    call.target = "/v2/models/" + model + "/infer";
    call.body = std::move(body);
    call.headers = std::move(headers);
    return peer.Do(call);
  }

  // One tensor "X" of type `type` as JSON, there and back.
  RefPtr<KeptReply> Json(const std::string& type, const std::string& shape,
                         const std::string& data) {
    return Infer("t" + type, R"({"inputs":[{"name":"X","shape":)" + shape + R"(,"datatype":")" +
                                 type + R"(","data":)" + data + "}]}");
  }

  RestPeer peer;
};

std::string Bytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST_F(RestInfer, AnswersJsonWithJson) {
  const auto reply = Infer(
      "m", R"({"id":"r1","inputs":[{"name":"A","shape":[1,2],"datatype":"FP32","data":[1,0.1]},)"
           R"({"name":"B","shape":[1,3],"datatype":"INT8","data":[[-128,0],[127]]}]})");
  EXPECT_EQ(reply->head.status, 200);
  EXPECT_EQ(reply->head.content_type, "application/json");
  EXPECT_EQ(reply->head.inference_header_length, -1);
  EXPECT_EQ(reply->body,
            R"({"id":"r1","model_name":"m","model_version":"1","outputs":[)"
            R"({"name":"A","datatype":"FP32","shape":[1,2],"data":[1.0,0.10000000149011612]},)"
            R"({"name":"B","datatype":"INT8","shape":[1,3],"data":[-128,0,127]}]})");
  EXPECT_EQ(reply->sends, 1);
}

TEST_F(RestInfer, AnswersBinaryWithBinaryWithoutCopyingInputs) {
  const std::string head =
      R"({"inputs":[{"name":"A","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}},)"
      R"({"name":"B","shape":[1,3],"datatype":"INT8","parameters":{"binary_data_size":3}}],)"
      R"("outputs":[{"name":"B","parameters":{"binary_data":true}},)"
      R"({"name":"A","parameters":{"binary_data":true}}]})";
  const std::string blobs = Bytes({1.5f, -2.0f}) + "xyz";
  const std::string length = std::to_string(head.size());
  for (int round = 0; round < 2; ++round) {  // the second time the head is not read again
    const auto reply = Infer("m", head + blobs, {{"inference-header-content-length", length}});
    const std::string json =
        R"({"model_name":"m","model_version":"1","outputs":[)"
        R"({"name":"A","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},)"
        R"({"name":"B","datatype":"INT8","shape":[1,3],"parameters":{"binary_data_size":3}}]})";
    EXPECT_EQ(reply->head.content_type, "application/octet-stream");
    EXPECT_EQ(reply->head.inference_header_length, static_cast<int64_t>(json.size()));
    EXPECT_EQ(reply->head.body.size(), 1u);
    EXPECT_EQ(reply->body, json + blobs);
  }
}

TEST_F(RestInfer, LargeOutputsLeaveAsTheirOwnPieces) {
  const std::string blob = Bytes(std::vector<float>(10000, 3.0f));
  const auto reply = Infer("one", blob, {{"Inference-Header-Content-Length", "0"}});
  ASSERT_EQ(reply->head.status, 200) << reply->body;
  ASSERT_EQ(reply->head.body.size(), 2u);
  EXPECT_EQ(reply->head.body[1].view(), blob);
}

TEST_F(RestInfer, CarriesEveryTypeThroughJson) {
  const struct {
    const char* type;
    const char* in;
    const char* out;
  } kRows[] = {
      {"BOOL", "[true,false]", "[true,false]"},
      {"UINT8", "[0,255]", "[0,255]"},
      {"UINT16", "[0,65535]", "[0,65535]"},
      {"UINT32", "[0,4294967295]", "[0,4294967295]"},
      {"UINT64", "[0,18446744073709551615]", "[0,18446744073709551615]"},
      {"INT8", "[-128,127]", "[-128,127]"},
      {"INT16", "[-32768,32767]", "[-32768,32767]"},
      {"INT32", "[-2147483648,2147483647]", "[-2147483648,2147483647]"},
      {"INT64", "[-9223372036854775808,9223372036854775807]",
       "[-9223372036854775808,9223372036854775807]"},
      {"FP32", "[NaN,-Infinity]", "[NaN,-Infinity]"},
      {"FP32", "[1e99,44]", "[Infinity,44.0]"},
      {"FP64", "[0.1,1e-320]", "[0.1,1e-320]"},
      {"BYTES", R"(["a\u00e9\"",""])", "[\"a\xC3\xA9\\\"\",\"\"]"},
  };
  for (const auto& row : kRows) {
    const auto reply = Json(row.type, "[2]", row.in);
    EXPECT_EQ(reply->body, R"({"model_name":"t)" + std::string(row.type) +
                               R"(","model_version":"1","outputs":[{"name":"X","datatype":")" +
                               row.type + R"(","shape":[2],"data":)" + row.out + "}]}");
  }
}

TEST_F(RestInfer, RefusesJsonDataThatDoesNotFit) {
  const struct {
    const char* type;
    const char* shape;
    const char* data;
    const char* error;
  } kRows[] = {
      {"INT8", "[2]", "[1,128]",
       "Unable to parse 'data': expected INT8 in [-128, 127], got 128, at $.inputs[0].data[1]"},
      {"UINT8", "[1]", "[-1]",
       "Unable to parse 'data': expected UINT8 in [0, 255], got -1, at $.inputs[0].data[0]"},
      {"INT64", "[1]", "[9223372036854775808]",
       "Unable to parse 'data': expected INT64 in [-9223372036854775808, 9223372036854775807], got "
       "9223372036854775808, at $.inputs[0].data[0]"},
      {"INT32", "[1]", "[1.0]",
       "Unable to parse 'data': attempt to access JSON non-signed-integer as signed-integer, at "
       "$.inputs[0].data[0]"},
      {"FP32", "[1]", "[\"1\"]",
       "Unable to parse 'data': attempt to access JSON non-number as double, at "
       "$.inputs[0].data[0]"},
      {"BOOL", "[1]", "[1]",
       "Unable to parse 'data': attempt to access JSON non-boolean as boolean, at "
       "$.inputs[0].data[0]"},
      {"FP32", "[3]", "[1,2]",
       "Unable to parse 'data': Shape does not match true shape of 'data' field, at "
       "$.inputs[0].data"},
      {"FP32", "[1]", "[1,2]",
       "Unable to parse 'data': Shape does not match true shape of 'data' field, at "
       "$.inputs[0].data"},
      {"FP32", "[1000000000000]", "[1,2]",
       "Unable to parse 'data': Shape does not match true shape of 'data' field, at "
       "$.inputs[0].data"},
      {"FP32", "[-1]", "[1]",
       "Unable to parse 'shape': attempt to access JSON non-unsigned-integer as unsigned-integer, "
       "at $.inputs[0].shape[0]"},
      {"FP16", "[1]", "[1]",
       "receiving FP16 data via JSON is not supported. Please use the binary data format for input "
       "X, at $.inputs[0].data"},
      {"BYTES", "[3]", "[\"a\",\"b\"]",
       "[request id: <id_unknown>] expected 3 string elements for inference input 'X' for model "
       "'tBYTES', got 2"},
  };
  for (const auto& row : kRows) {
    const auto reply = Json(row.type, row.shape, row.data);
    EXPECT_EQ(reply->head.status, 400);
    EXPECT_EQ(reply->head.content_type, "application/json");
    EXPECT_EQ(reply->body, wire::JsonError(row.error));
  }
}

TEST_F(RestInfer, RefusesBadHeads) {
  const std::string good = R"({"name":"X","shape":[1],"datatype":"FP32","data":[1]})";
  const std::pair<std::string, std::string> kRows[] = {
      {"[]",
       "Unable to parse 'inputs': attempt to access non-existing object member 'inputs', at $"},
      {R"({"inputs":{}})",
       "Unable to parse 'inputs': attempt to access JSON non-array as array, at $.inputs"},
      {R"({"inputs":[{"shape":[1]}]})",
       "Unable to parse 'name': attempt to access non-existing object member 'name', at "
       "$.inputs[0]"},
      {R"({"inputs":[{"name":"X","shape":[1],"datatype":"fp32","data":[1]}]})",
       "invalid datatype for input X, at $.inputs[0].datatype"},
      {R"({"inputs":[{"name":"X","shape":[1],"datatype":"FP32"}]})",
       "Input must set only one of the following fields: 'data', 'binary_data_size' in "
       "'parameters', 'shared_memory_region' in 'parameters'. But no field is set, at "
       "$.inputs[0]"},
      {R"({"inputs":[)" + good + R"(],"outputs":[{"name":"NOPE"}]})",
       "unexpected inference output 'NOPE' for model 'one'"},
      {R"({"id":5,"inputs":[]})",
       "Unable to parse 'id': attempt to access JSON non-string as string, at $.id"},
      {R"({"parameters":[],"inputs":[]})",
       "failed to get request params.: attempt to get members for non-object, at $.parameters"},
      {R"({"parameters":{"n":null},"inputs":[]})",
       "parameter 'n' has invalid type. It should be either 'int', 'bool', or 'string'., at "
       "$.parameters.n"},
      {R"({"parameters":{"triton_x":1},"inputs":[]})",
       "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
       "specified., at $.parameters.triton_x"},
      {R"({"parameters":{"priority":-1},"inputs":[]})",
       "Unable to parse 'priority': attempt to access JSON non-unsigned-integer as "
       "unsigned-integer, at $.parameters.priority"},
      {"{\"inputs\":[",
       "failed to parse the request JSON buffer: Invalid value. at 11, in "
       "$.inputs[0]"},
  };
  for (const auto& [body, error] : kRows) {
    const auto reply = Infer("one", body);
    EXPECT_EQ(reply->head.status, 400) << body;
    EXPECT_EQ(reply->body, wire::JsonError(error)) << body;
  }
}

TEST_F(RestInfer, ChecksTheBinaryPart) {
  const std::string head =
      R"({"inputs":[{"name":"X","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}]})";
  const std::string length = std::to_string(head.size());
  EXPECT_EQ(Infer("one", head + "ab", {{"Inference-Header-Content-Length", length}})->body,
            wire::JsonError("unexpected size for input 'X', expecting 2 additional bytes for model "
                            "'one'"));
  EXPECT_EQ(Infer("one", head + "abcde", {{"Inference-Header-Content-Length", length}})->body,
            wire::JsonError("unexpected additional input data for model 'one'"));
  EXPECT_EQ(Infer("one", "abc", {{"Inference-Header-Content-Length", "9"}})->body,
            wire::JsonError("inference header size should be in range (0, 3), got: 9"));
  EXPECT_EQ(Infer("one", "abc", {{"Inference-Header-Content-Length", "-1"}})->body,
            wire::JsonError("Unable to parse Inference-Header-Content-Length, got: -1"));
  EXPECT_EQ(Infer("one", "abc", {{"Inference-Header-Content-Length", "3x"}})->body,
            wire::JsonError("Unable to parse Inference-Header-Content-Length, got: 3x"));
}

TEST_F(RestInfer, DeducesRawRequests) {
  const std::string blob = Bytes({1, 2, 3});
  const auto reply = Infer("one", blob, {{"Inference-Header-Content-Length", "0"}});
  EXPECT_EQ(reply->body,
            R"({"model_name":"one","model_version":"1","outputs":[{"name":"X","datatype":"FP32",)"
            R"("shape":[3],"parameters":{"binary_data_size":12}}]})" +
                blob);
  EXPECT_EQ(Infer("m", "")->body,
            wire::JsonError("Raw request must only have 1 input (found 1) to be deduced but got 2 "
                            "inputs in 'm' model configuration"));
  const auto text = Infer("text", "hello", {{"Inference-Header-Content-Length", "0"}});
  EXPECT_NE(text->body.find(std::string("\x05\0\0\0hello", 9)), std::string::npos);
}

TEST_F(RestInfer, ErrorsBeforeTheBodyArePlainText) {
  const auto unknown = Infer("none", "");
  EXPECT_EQ(unknown->head.status, 404);
  EXPECT_EQ(unknown->head.content_type, "text/plain");
  EXPECT_EQ(unknown->body, wire::JsonError("Request for unknown model: 'none' is not found"));
  const auto stream = Infer("stream", "");
  EXPECT_EQ(stream->head.status, 501);
  EXPECT_EQ(stream->body, wire::JsonError("HTTP end point doesn't support models with decoupled "
                                          "transaction policy"));
}

TEST_F(RestInfer, PacksAndUnpacksBodies) {
  const std::string json = R"({"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[1]}]})";
  const auto packed = wire::Compress({Slice::Copy(json)}, wire::ContentCoding::kGzip, nullptr);
  const auto reply = Infer("one", std::string(packed->view()),
                           {{"Content-Encoding", "gzip"}, {"Accept-Encoding", "gzip"}});
  ASSERT_EQ(reply->head.status, 200) << reply->body;
  EXPECT_EQ(reply->head.content_encoding, "gzip");
  wire::DecompressOptions options;
  options.max_size = 10000;
  EXPECT_EQ(wire::Decompress(reply->body, options)->view(),
            R"({"model_name":"one","model_version":"1","outputs":[{"name":"X","datatype":"FP32",)"
            R"("shape":[1],"data":[1.0]}]})");
  const auto unsupported = Infer("one", "x", {{"Content-Encoding", "br"}});
  EXPECT_EQ(unsupported->head.status, 501);
  EXPECT_EQ(unsupported->body, wire::JsonError("Unsupported compression type"));
  ASSERT_EQ(unsupported->head.more_headers.size(), 1u);
  EXPECT_EQ(unsupported->head.more_headers[0].second, "gzip, deflate");
  EXPECT_EQ(Infer("one", "", {{"Content-Encoding", "gzip"}})->body,
            wire::JsonError("nothing to be decompressed"));
}

TEST_F(RestInfer, HandsRequestOptionsOn) {
  RequestPtr taken;
  peer.run = [&](RequestPtr request) { taken = std::move(request); };
  const auto reply = Infer(
      "one",
      R"({"id":"i","parameters":{"priority":2,"timeout":500,"sequence_id":7,"s":"v","n":-3,"d":1.5,)"
      R"("b":true},"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[1]}]})",
      {{"X-Request-Timeout-Ms", "250"}});
  ASSERT_TRUE(taken) << reply->body;
  EXPECT_EQ(taken->id, "i");
  EXPECT_EQ(taken->priority, 2u);
  EXPECT_EQ(taken->timeout_us, 500u);
  EXPECT_EQ(taken->deadline, peer.now + std::chrono::milliseconds(250));
  EXPECT_EQ(taken->parameters,
            (Parameters{{"s", std::string("v")}, {"n", int64_t{-3}}, {"d", 1.5}, {"b", true}}));
  EXPECT_EQ(reply->sends, 0);
  taken->Fail(DeadlineExceeded("late"));
  EXPECT_EQ(reply->head.status, 504);
  EXPECT_EQ(reply->body, wire::JsonError("late"));
  EXPECT_EQ(Infer("one", R"({"inputs":[{"name":"X","shape":[0],"datatype":"FP32","data":[]}]})",
                  {{"x-request-timeout-ms", "soon"}})
                ->body,
            wire::JsonError("Unable to parse x-request-timeout-ms, expected milliseconds > 0, got: "
                            "soon"));
}

TEST_F(RestInfer, DropsTheAnswerOfAClientThatLeft) {
  RequestPtr taken;
  peer.run = [&](RequestPtr request) { taken = std::move(request); };
  const auto reply =
      Infer("one", R"({"inputs":[{"name":"X","shape":[1],"datatype":"FP32","data":[1]}]})");
  reply->responder->Cancel();
  EXPECT_TRUE(taken->is_cancelled());
  taken->Fail(Cancelled("gone"));
  EXPECT_EQ(reply->sends, 0);
}

}  // namespace
}  // namespace pt::api
