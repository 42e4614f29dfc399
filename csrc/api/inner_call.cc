#include "api/inner_call.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "infer/scheduler.h"
#include "infer/validate.h"

namespace pt::api {
namespace {

class InnerResponder final : public Responder {
 public:
  // The model is pinned by the request that sends.
  InnerResponder(const Model* model, InnerSink sink) : model_(model), sink_(std::move(sink)) {}

  void Send(InferResponse&& response, Finality finality) override {
    InnerResponse inner;
    inner.status = std::move(response.status);
    inner.parameters = std::move(response.parameters);
    const std::vector<TensorSpec>& specs = model_->config().outputs;
    inner.outputs.reserve(response.outputs.size());
    for (OutputTensor& output : response.outputs) {
      inner.outputs.push_back(
          {specs[static_cast<size_t>(output.index)].name, std::move(output.tensor)});
    }
    sink_(std::move(inner), finality);
    if (finality == Finality::kFinal) sink_ = nullptr;
  }

 private:
  const Model* const model_;
  InnerSink sink_;
};

Status Explain(const std::string& model, const Status& status) {
  return {status.code(), "Model " + model + " - Error when running inference: " + status.message()};
}

Status FillOutputs(const std::vector<std::string>& names, InferRequest* request) {
  for (const std::string& name : names) {
    const int index = request->model().config().FindOutput(name);
    if (index < 0) {
      return InvalidArgument("unexpected inference output '" + name + "' for model '" +
                             request->model().name() + "'");
    }
    request->requested_outputs.push_back(index);
  }
  return {};
}

Status Fill(InnerRequest* from, InferRequest* to) {
  if (to->model().config().is_decoupled && !from->takes_many) {
    return InvalidArgument(
        "Model " + from->model_name +
        " is using the decoupled. The current BLS request call doesn't support models using the "
        "decoupled transaction policy. Please use 'decoupled=True' argument to the 'exec' or "
        "'async_exec' calls for decoupled models.'");
  }
  to->id = std::move(from->id);
  to->parameters = std::move(from->parameters);
  to->correlation_id = std::move(from->correlation_id);
  to->sequence_flags = from->sequence_flags;
  to->timeout_us = from->timeout_us;
  to->arrival = std::chrono::steady_clock::now();
  NamedInputs inputs;
  inputs.reserve(from->inputs.size());
  for (NamedTensor& given : from->inputs) {
    NamedInput& input = inputs.emplace_back();
    input.name = given.name;
    input.type = given.tensor.type;
    input.type_name = DataTypeName(given.tensor.type);
    input.shape = std::move(given.tensor.shape);
    input.data = std::move(given.tensor.data);
  }
  PT_RETURN_IF_ERROR(FillInputs(std::move(inputs), to));
  return FillOutputs(from->requested_outputs, to);
}

void Refuse(Status status, const InnerSink& sink) {
  InnerResponse response;
  response.status = std::move(status);
  sink(std::move(response), Finality::kFinal);
}

}  // namespace

RefPtr<Responder> StartInnerCall(const repo::Repository& repository, Tracer* tracer,
                                 InnerRequest&& request, InnerSink sink) {
  const std::optional<TraceHandoff> parent = TakeTraceHandoff(&request.parameters);
  Result<ModelHandle> model = repository.router().Find(request.model_name, request.version);
  if (!model.ok()) {
    const Status not_ready = Internal("Failed for execute the inference request. Model '" +
                                      request.model_name + "' is not ready.");
    Refuse(Explain(request.model_name, not_ready), sink);
    return nullptr;
  }
  auto call = std::make_unique<InferRequest>(std::move(*model), nullptr);
  const Status filled = Fill(&request, call.get());
  if (!filled.ok()) {
    Refuse(Explain(request.model_name, filled), sink);
    return nullptr;
  }
  RefPtr<Responder> responder = MakeRef<InnerResponder>(&call->model(), std::move(sink));
  call->AnswerTo(responder);
  if (parent && tracer != nullptr) tracer->BeginChild(*parent, call.get());
  // The request may be answered, and its model be unloaded, before Submit returns.
  const ModelHandle pin = call->handle().Share();
  RequestList list;
  list.push_back(std::move(call));
  pin->scheduler().Submit(std::move(list), nullptr);
  return responder;
}

}  // namespace pt::api
