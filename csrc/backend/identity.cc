#include "backend/identity.h"

#include <chrono>

namespace pt::backend {
namespace {

void Echo(const InferRequest& request, InferResponse* response) {
  const int outputs = static_cast<int>(request.model().config().outputs.size());
  response->outputs.reserve(request.inputs.size());
  for (const InputTensor& input : request.inputs) {
    if (input.index >= outputs || !request.WantsOutput(input.index)) continue;
    response->outputs.push_back({input.index, input.tensor});
  }
}

class IdentityInstance final : public BackendInstance {
 public:
  void Execute(Batch* batch, ExecutionTimes* times) override {
    times->input_end = std::chrono::steady_clock::now();
    batch->responses.resize(batch->requests.size());
    for (size_t i = 0; i < batch->requests.size(); ++i) {
      Echo(*batch->requests[i], &batch->responses[i]);
    }
    times->infer_end = std::chrono::steady_clock::now();
  }
};

}  // namespace

Result<std::unique_ptr<BackendInstance>> IdentityBackend::CreateInstance(int /*ordinal*/) {
  return std::unique_ptr<BackendInstance>(std::make_unique<IdentityInstance>());
}

}  // namespace pt::backend
