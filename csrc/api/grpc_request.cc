#include "api/grpc_request.h"

#include <algorithm>
#include <utility>

#include "api/grpc_parameters.h"
#include "api/header_forward.h"
#include "infer/validate.h"
#include "wire/infer_contents.h"

namespace pt::api {
namespace {

using wire::ContentsField;

std::string TensorOfModel(std::string_view input, const Model& model) {
  return "'" + std::string(input) + "' for model '" + model.name() + "'";
}

// The data types that a field of InferTensorContents can stand for; the first is what it is called
// when it does not fit.
std::span<const DataType> TypesOf(ContentsField field) {
  static constexpr DataType kTypes[][3] = {
      {},
      {DataType::kBool},
      {DataType::kInt32, DataType::kInt8, DataType::kInt16},
      {DataType::kInt64},
      {DataType::kUint32, DataType::kUint8, DataType::kUint16},
      {DataType::kUint64},
      {DataType::kFp32},
      {DataType::kFp64},
      {DataType::kBytes},
  };
  const auto& types = kTypes[static_cast<size_t>(field)];
  return std::span(types).first(types[1] == DataType::kInvalid ? 1 : 3);
}

// Elements in typed fields; exactly the field of the input's data type may have some.
Result<Slice> ReadContents(std::span<const std::string_view> parts, const NamedInput& input,
                           const Model& model, const CallContext& context) {
  const wire::ContentsCounts counts = wire::CountContents(parts);
  ContentsField used = ContentsField::kBytes;
  bool has_elements = false;
  for (int i = 1; i <= wire::kContentsFields; ++i) {
    if (counts.elements[i] == 0) continue;
    used = static_cast<ContentsField>(i);
    has_elements = true;
    const std::span<const DataType> types = TypesOf(used);
    if (std::find(types.begin(), types.end(), input.type) != types.end()) continue;
    return InvalidArgument("unexpected explicit tensor data for input tensor " +
                           TensorOfModel(input.name, model) + " of type '" +
                           std::string(DataTypeName(types.front())) + "', expected datatype '" +
                           std::string(input.type_name) + "'");
  }
  if (!has_elements) return Slice();
  const size_t width = input.type == DataType::kBytes ? 4 : DataTypeSize(input.type);
  const uint64_t size = counts.elements[static_cast<int>(used)] * width + counts.string_bytes;
  BlockRef block = context.pool->Allocate(size);
  if (!block) return Unavailable("no memory for input tensor " + TensorOfModel(input.name, model));
  wire::CopyContents(parts, used, width, block->data());
  const char* data = block->data();
  return Slice(std::move(block), data, size);
}

class InputReader {
 public:
  InputReader(const Service& service, const CallContext& context, const InferMessage& message,
              InferRequest* request)
      : service_(service),
        context_(context),
        message_(message),
        view_(*message.view),
        model_(request->model()),
        request_(request) {}

  // `input` is new.
  Status Read(const wire::InputTensorView& given, NamedInput* input) {
    input->name = given.name;
    input->type = ParseDataType(given.datatype);
    input->type_name = input->type == DataType::kInvalid ? "<invalid>" : given.datatype;
    for (int64_t dim : view_.ShapeOf(given)) {
      if (!input->shape.Append(dim)) {
        return InvalidArgument("input " + TensorOfModel(given.name, model_) +
                               " has too many dimensions, expected at most " +
                               std::to_string(Shape::kMaxRank));
      }
    }
    RegionWish region;
    if (given.parameters.count > 0) {
      PT_ASSIGN_OR_RETURN(region, RegionOf(view_.ParametersOf(given.parameters)));
    }
    if (region.is_given) {
      PT_ASSIGN_OR_RETURN(input->data, ReadFromRegion(given, region, input->type));
    } else {
      PT_ASSIGN_OR_RETURN(input->data, ReadData(given, *input));
    }
    return {};
  }

 private:
  Result<Slice> ReadFromRegion(const wire::InputTensorView& given, const RegionWish& region,
                               DataType type) {
    if (given.contents.count > 0) {
      return InvalidArgument(
          "unexpected 'content' provided when using shared memory for input "
          "tensor " +
          TensorOfModel(given.name, model_));
    }
    return ReadRegion(service_, region, {given.name, type, context_.pool, request_});
  }

  Result<Slice> ReadData(const wire::InputTensorView& given, const NamedInput& input) {
    if (given.contents.count > 0) {
      if (!view_.raw_inputs.empty()) {
        return InvalidArgument(
            "contents field must not be specified when using raw_input_contents "
            "for " +
            TensorOfModel(given.name, model_));
      }
      return ReadContents(view_.ContentsOf(given), input, model_, context_);
    }
    if (next_raw_ == view_.raw_inputs.size()) {
      return InvalidArgument("unable to find data for input tensor " +
                             TensorOfModel(given.name, model_) + " in request.");
    }
    return message_.bytes->RawInput(view_, next_raw_++);
  }

  const Service& service_;
  const CallContext& context_;
  const InferMessage& message_;
  const wire::InferRequestView& view_;
  const Model& model_;
  InferRequest* const request_;
  size_t next_raw_ = 0;
};

Status ReadInputs(const Service& service, const CallContext& context, const InferMessage& message,
                  InferRequest* request) {
  InputReader reader(service, context, message, request);
  NamedInputs inputs;
  inputs.reserve(message.view->inputs.size());
  for (const wire::InputTensorView& given : message.view->inputs) {
    PT_RETURN_IF_ERROR(reader.Read(given, &inputs.emplace_back()));
  }
  return FillInputs(std::move(inputs), request);
}

Status ReadTarget(const Service& service, const RegionWish& region, OutputChoice* choice,
                  InferRequest* request, AnswerPlan* plan) {
  if (!region.is_given) return {};
  if (choice->classes > 0) {
    return InvalidArgument(
        "expected one of 'classification' and 'shared_memory_region' for an output, got both");
  }
  PT_ASSIGN_OR_RETURN(RegionTarget target, FindTarget(service, region, choice->index, request));
  choice->target = static_cast<int>(plan->targets.size());
  plan->targets.push_back(std::move(target));
  return {};
}

Status ReadOutputs(const Service& service, const wire::InferRequestView& view,
                   InferRequest* request, AnswerPlan* plan) {
  const ModelConfig& config = request->model().config();
  for (const wire::OutputRequestView& given : view.outputs) {
    const int index = config.FindOutput(given.name);
    if (index < 0) {
      return InvalidArgument("unexpected inference output " +
                             TensorOfModel(given.name, request->model()));
    }
    if (plan->Find(index) != nullptr) continue;
    OutputChoice choice{index};
    if (given.parameters.count > 0) {
      const auto parameters = view.ParametersOf(given.parameters);
      PT_ASSIGN_OR_RETURN(choice.classes, ClassesOf(parameters));
      PT_ASSIGN_OR_RETURN(const RegionWish region, RegionOf(parameters));
      PT_RETURN_IF_ERROR(ReadTarget(service, region, &choice, request, plan));
    }
    plan->outputs.push_back(choice);
    request->requested_outputs.push_back(index);
  }
  return {};
}

}  // namespace

const OutputChoice* AnswerPlan::Find(int index) const {
  for (const OutputChoice& choice : outputs) {
    if (choice.index == index) return &choice;
  }
  return nullptr;
}

Result<RequestPtr> BuildInferRequest(const Service& service, const CallContext& context,
                                     const InferMessage& message, AnswerPlan* plan) {
  const wire::InferRequestView& view = *message.view;
  plan->id = view.id;
  plan->asked_version = view.model_version;
  PT_ASSIGN_OR_RETURN(ModelHandle model, service.FindModel(view.model_name, view.model_version));
  if (message.kind == CallKind::kUnary && model->config().is_decoupled) {
    return Unsupported("ModelInfer RPC doesn't support models with decoupled transaction policy");
  }
  plan->model = model.get();
  auto request = std::make_unique<InferRequest>(std::move(model), nullptr);
  request->id = plan->id;
  request->arrival = context.now;
  request->deadline = message.deadline;
  if (!view.parameters.empty()) {
    PT_RETURN_IF_ERROR(ApplyRequestParameters(view.parameters.Sub(0, view.parameters.size()),
                                              request.get(), &plan->wants_empty_final));
  }
  for (const auto& [name, value] : *message.forwarded) {
    SetParameter(name, value, &request->parameters);
  }
  PT_RETURN_IF_ERROR(ReadOutputs(service, view, request.get(), plan));
  PT_RETURN_IF_ERROR(ReadInputs(service, context, message, request.get()));
  return request;
}

}  // namespace pt::api
