#include "load/workload.h"

#include <algorithm>
#include <vector>

#include "load/proto.h"

namespace pt::load {
namespace {

// A prime, so that a server that moves data by a round number of bytes is caught.
constexpr int64_t kBlockFloats = 16381;

std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> RandomFloats(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525u + 1013904223u;  // Numerical Recipes' generator
    value = static_cast<float>(static_cast<int32_t>(seed >> 8) - (1 << 23)) / 1024.0f;
  }
  return values;
}

std::string JsonHead(const Workload& workload) {
  std::string bytes = std::to_string(workload.tensor_bytes());
  std::string shape =
      "[" + std::to_string(workload.rows()) + "," + std::to_string(workload.elements()) + "]";
  std::string json = "{\"inputs\":[";
  for (const PlannedTensor& tensor : workload.inputs()) {
    if (json.back() == '}') json += ",";
    json += "{\"name\":\"" + tensor.name + "\",\"shape\":" + shape +
            ",\"datatype\":\"FP32\",\"parameters\":{\"binary_data_size\":" + bytes + "}}";
  }
  return json + "],\"parameters\":{\"binary_data_output\":true}}";
}

void AddTensors(Message& message, const Workload& workload) {
  for (const PlannedTensor& tensor : workload.inputs()) {
    message.AddRepeated(tensor.block, workload.tensor_bytes());
  }
}

Message BuildHttpRequest(const Options& options, const Workload& workload) {
  bool is_raw = options.protocol == Protocol::kRaw;
  std::string json = is_raw ? "" : JsonHead(workload);
  std::string path = is_raw ? options.path : "/v2/models/" + options.model + "/infer";
  bool is_unix = options.address.rfind("unix:", 0) == 0;
  std::string head = "POST " + path +
                     " HTTP/1.1\r\nHost: " + (is_unix ? "localhost" : options.address) +
                     "\r\nContent-Type: application/octet-stream\r\n";
  if (!is_raw) {
    head += "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n";
  }
  size_t body = json.size() + workload.inputs().size() * workload.tensor_bytes();
  head += "Content-Length: " + std::to_string(body) + "\r\n\r\n";
  Message message;
  message.AddLiteral(head + json);
  AddTensors(message, workload);
  message.Compact();
  return message;
}

Message BuildGrpcRequest(const Options& options, const Workload& workload) {
  std::string head;
  AppendBytesField(head, 1, options.model);
  for (const PlannedTensor& tensor : workload.inputs()) {
    std::string shape;
    AppendVarint(shape, static_cast<uint64_t>(workload.rows()));
    AppendVarint(shape, static_cast<uint64_t>(workload.elements()));
    std::string input;
    AppendBytesField(input, 1, tensor.name);
    AppendBytesField(input, 2, "FP32");
    AppendBytesField(input, 3, shape);
    AppendBytesField(head, 5, input);
  }
  std::string raw_head;  // raw_input_contents = 7, before each tensor's bytes
  AppendBytesHead(raw_head, 7, workload.tensor_bytes());
  size_t size =
      head.size() + workload.inputs().size() * (raw_head.size() + workload.tensor_bytes());

  std::string prefix(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) prefix += static_cast<char>(size >> shift);
  Message message;
  message.AddLiteral(prefix + head);
  for (const PlannedTensor& tensor : workload.inputs()) {
    message.AddLiteral(raw_head);
    message.AddRepeated(tensor.block, workload.tensor_bytes());
  }
  message.Compact();
  return message;
}

}  // namespace

Workload::Workload(const Options& options) : rows_(options.rows), elements_(options.elements) {
  size_t count = static_cast<size_t>(std::min(rows_ * elements_, kBlockFloats));
  std::vector<float> left = RandomFloats(count, 1);
  std::vector<float> right = RandomFloats(count, 2);
  std::vector<float> sum(count);
  std::vector<float> difference(count);
  for (size_t i = 0; i < count; ++i) {
    sum[i] = left[i] + right[i];
    difference[i] = left[i] - right[i];
  }
  if (options.is_identity) {
    inputs_ = {{options.left_input, BytesOf(left)}};
    outputs_ = {{options.sum_output, BytesOf(left)}};
    return;
  }
  inputs_ = {{options.left_input, BytesOf(left)}, {options.right_input, BytesOf(right)}};
  outputs_ = {{options.sum_output, BytesOf(sum)}, {options.difference_output, BytesOf(difference)}};
}

Message BuildRequest(const Options& options, const Workload& workload) {
  return options.protocol == Protocol::kGrpc ? BuildGrpcRequest(options, workload)
                                             : BuildHttpRequest(options, workload);
}

}  // namespace pt::load
