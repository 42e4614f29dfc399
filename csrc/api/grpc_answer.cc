#include "api/grpc_answer.h"

#include <bit>
#include <string>
#include <utility>
#include <variant>

#include "api/classification.h"
#include "wire/infer_proto_writer.h"

namespace pt::api {
namespace {

using wire::OutputTensorData;
using wire::ParameterKind;
using wire::ParameterView;

using OutputList = wire::SmallList<OutputTensorData, 8>;
using ParameterList = wire::SmallList<ParameterView, 4>;

constexpr std::string_view kFinalResponse = "triton_final_response";

ParameterView ToView(std::string_view key, const ParameterValue& value) {
  ParameterView view;
  view.key = key;
  if (const bool* flag = std::get_if<bool>(&value)) {
    view.kind = ParameterKind::kBool;
    view.bits = *flag ? 1 : 0;
  } else if (const int64_t* number = std::get_if<int64_t>(&value)) {
    view.kind = ParameterKind::kInt64;
    view.bits = static_cast<uint64_t>(*number);
  } else if (const double* real = std::get_if<double>(&value)) {
    view.kind = ParameterKind::kDouble;
    view.bits = std::bit_cast<uint64_t>(*real);
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    view.kind = ParameterKind::kString;
    view.text = *text;
  }
  return view;
}

ParameterView FinalParameter(Finality finality) {
  ParameterView view;
  view.key = kFinalResponse;
  view.kind = ParameterKind::kBool;
  view.bits = finality == Finality::kFinal ? 1 : 0;
  return view;
}

Status ClassifyOutput(const ModelConfig& config, const OutputChoice& choice, OutputTensor* output,
                      BlockPool* pool) {
  const Batched batched = config.max_batch_size > 0 ? Batched::kYes : Batched::kNo;
  PT_ASSIGN_OR_RETURN(output->tensor,
                      Classify(output->tensor, config.outputs[static_cast<size_t>(output->index)],
                               choice.classes, batched, pool));
  return {};
}

Status CollectOutputs(const AnswerPlan& plan, InferResponse* response, BlockPool* pool,
                      OutputList* list) {
  const ModelConfig& config = plan.model->config();
  for (OutputTensor& output : response->outputs) {
    if (!plan.outputs.empty()) {
      const OutputChoice* choice = plan.Find(output.index);
      if (choice == nullptr) continue;
      if (choice->classes > 0) {
        PT_RETURN_IF_ERROR(ClassifyOutput(config, *choice, &output, pool));
      }
      if (choice->target >= 0) {
        const std::string& name = config.outputs[static_cast<size_t>(output.index)].name;
        const RegionTarget& target = plan.targets[static_cast<size_t>(choice->target)];
        PT_RETURN_IF_ERROR(WriteOutput(target, name, output.tensor.data));
        output.tensor.data = {};  // its entry in the answer stays, empty
      }
    }
    list->push_back({config.outputs[static_cast<size_t>(output.index)].name,
                     DataTypeName(output.tensor.type), output.tensor.shape.dims(),
                     &output.tensor.data});
  }
  return {};
}

void CollectParameters(const Parameters& parameters, ParameterList* list) {
  for (const auto& [key, value] : parameters) list->push_back(ToView(key, value));
}

wire::InferResponseData Describe(const AnswerPlan& plan, const OutputList& outputs,
                                 const ParameterList& parameters) {
  wire::InferResponseData data;
  data.model_name = plan.model->name();
  data.model_version = plan.model->version_text();
  data.id = plan.id;
  data.parameters = parameters.Sub(0, parameters.size());
  data.outputs = outputs.Sub(0, outputs.size());
  return data;
}

Result<wire::InferResponseSize> MeasureAllowed(const wire::InferResponseData& data) {
  const wire::InferResponseSize size = wire::Measure(data);
  if (size.total() <= wire::kMaxMessageBytes) return size;
  return InvalidArgument("Response has byte size " + std::to_string(size.total()) +
                         " which exceeds gRPC's byte size limit " +
                         std::to_string(wire::kMaxMessageBytes) + ".");
}

Result<SliceList> OrNoMemory(SliceList message) {
  if (message.empty()) return Unavailable("no memory for the response message");
  return message;
}

}  // namespace

Result<SliceList> EncodeAnswer(const AnswerPlan& plan, InferResponse* response, BlockPool* pool) {
  OutputList outputs;
  PT_RETURN_IF_ERROR(CollectOutputs(plan, response, pool, &outputs));
  ParameterList parameters;
  CollectParameters(response->parameters, &parameters);
  const wire::InferResponseData data = Describe(plan, outputs, parameters);
  PT_ASSIGN_OR_RETURN(const wire::InferResponseSize size, MeasureAllowed(data));
  return OrNoMemory(wire::EncodeInferResponse(data, size, pool));
}

Result<SliceList> EncodeStreamAnswer(const AnswerPlan& plan, InferResponse* response,
                                     Finality finality, BlockPool* pool) {
  OutputList outputs;
  PT_RETURN_IF_ERROR(CollectOutputs(plan, response, pool, &outputs));
  ParameterList parameters;
  CollectParameters(response->parameters, &parameters);
  parameters.push_back(FinalParameter(finality));
  const wire::InferResponseData data = Describe(plan, outputs, parameters);
  PT_ASSIGN_OR_RETURN(const wire::InferResponseSize size, MeasureAllowed(data));
  return OrNoMemory(wire::EncodeStreamResponse(data, size, {}, pool));
}

SliceList EncodeStreamNote(const AnswerPlan& plan, std::string_view error_message,
                           Finality finality, BlockPool* pool) {
  const ParameterView final_parameter = FinalParameter(finality);
  wire::InferResponseData data;
  data.model_name = plan.model->name();
  data.model_version = plan.asked_version;
  data.id = plan.id;
  data.parameters = {&final_parameter, 1};
  return wire::EncodeStreamResponse(data, wire::Measure(data), error_message, pool);
}

SliceList EncodeStreamRefusal(std::string_view id, std::string_view error_message,
                              BlockPool* pool) {
  wire::InferResponseData data;
  data.id = id;
  return wire::EncodeStreamResponse(data, wire::Measure(data), error_message, pool);
}

}  // namespace pt::api
