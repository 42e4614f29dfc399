// A C++ program with a server inside: a model that doubles its input, until end of input or Enter.
#include <pytriton/server.h>

#include <cstdio>
#include <cstdlib>

namespace {

void Require(const pytriton::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s\n", status.code.c_str(), status.message.c_str());
  std::exit(1);
}

void Double(pytriton::Batch& batch) {
  for (pytriton::Request* request : batch) {
    const pytriton::TensorView& in = request->inputs()[0];
    auto* out = static_cast<float*>(request->AddOutput("OUT", in.shape, in.byte_size));
    if (out == nullptr) continue;  // the request fails with the reason
    const auto* values = static_cast<const float*>(in.data);
    for (size_t i = 0; i < in.byte_size / sizeof(float); ++i) out[i] = 2 * values[i];
  }
}

}  // namespace

int main() {
  pytriton::ServerOptions options;
  for (const char* port : {"http-port", "grpc-port", "metrics-port"})
    Require(options.Set(port, "0"));

  pytriton::Status status;
  const auto server = pytriton::Server::Create(options, &status);
  Require(status);

  pytriton::ModelConfig model;
  model.name = "double";
  model.max_batch_size = 64;
  model.inputs = {{"IN", "FP32", {-1}}};
  model.outputs = {{"OUT", "FP32", {-1}}};
  Require(server->AddModel(model, Double));
  Require(server->Start());
  std::printf("http %d grpc %d\n", server->http_port(), server->grpc_port());
  std::fflush(stdout);

  std::getchar();
  Require(server->Stop());
}
