// POST .../infer: finds the model, reads head and tensors, submits
// (spec/triton-frontend 1.10, 1.11, 2).

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "api/rest_call.h"
#include "api/rest_handlers.h"
#include "api/rest_headers.h"
#include "api/rest_infer_reply.h"
#include "api/rest_reply.h"
#include "api/rest_tensor.h"
#include "infer/validate.h"
#include "tensor/bytes_tensor.h"
#include "wire/content_coding.h"

namespace pt::api {
namespace {

std::string OfModel(const ModelConfig& config) { return " for model '" + config.name + "'"; }

// The body split at the end of its JSON.
struct InferBody {
  Slice json;  // empty: a raw binary request
  Slice binary;
};

Result<Slice> Unpacked(RestCall& call, size_t align_offset) {
  PT_ASSIGN_OR_RETURN(const wire::ContentCoding coding,
                      wire::ParseContentCoding(call.head.Find("Content-Encoding")));
  if (coding == wire::ContentCoding::kIdentity) return call.body;
  wire::DecompressOptions options;
  options.max_size = call.service().options().max_json_bytes;
  options.align_offset = align_offset;
  options.pool = call.context.pool;
  Result<Slice> body = wire::Decompress(call.body.view(), options);
  if (!body.ok() && body.status().code() == Code::kTooLarge) {
    return InvalidArgument("Decompressed data size exceeds the maximum allowed value of " +
                           std::to_string(options.max_size) +
                           " bytes. Use --http-max-input-size to increase the limit.");
  }
  return body;
}

Result<InferBody> SplitBody(RestCall& call) {
  PT_ASSIGN_OR_RETURN(const std::optional<int64_t> length, InferenceHeaderLength(call.head));
  PT_ASSIGN_OR_RETURN(const Slice body, Unpacked(call, length ? static_cast<size_t>(*length) : 0));
  InferBody parts;
  if (!length) {
    parts.json = body;
    return parts;
  }
  if (static_cast<uint64_t>(*length) > body.size) {
    return InvalidArgument("inference header size should be in range (0, " +
                           std::to_string(body.size) + "), got: " + std::to_string(*length));
  }
  const size_t head_size = static_cast<size_t>(*length);
  parts.json = body.Sub(0, head_size);
  parts.binary = body.Sub(head_size, body.size - head_size);
  return parts;
}

Status CheckJsonSize(const Slice& json, uint64_t limit) {
  if (json.size <= limit) return {};
  return InvalidArgument("request JSON size of " + std::to_string(json.size) +
                         " bytes exceeds the maximum allowed input size of " +
                         std::to_string(limit) +
                         " bytes. Use --http-max-input-size to increase the limit.");
}

Result<NamedInputs> CollectInputs(RestCall& call, const InferHead& head, const Slice& binary,
                                  InferRequest* request) {
  const ModelConfig& config = request->model().config();
  BlockPool* const pool = call.context.pool;
  NamedInputs inputs;
  inputs.reserve(head.inputs.size());
  size_t used = 0;
  for (const HeadInput& from : head.inputs) {
    NamedInput& to = inputs.emplace_back();
    to.name = from.name;
    to.type = from.type;
    to.type_name = from.type_name;
    to.shape = from.shape;
    if (from.region.is_given) {
      PT_ASSIGN_OR_RETURN(
          to.data, ReadRegion(call.service(), from.region, {from.name, from.type, pool, request}));
      continue;
    }
    if (from.binary_size < 0) {
      PT_ASSIGN_OR_RETURN(to.data, TensorFromJson(from, pool));
      continue;
    }
    const size_t rest = binary.size - used;
    const uint64_t size = static_cast<uint64_t>(from.binary_size);
    if (size > rest) {
      return InvalidArgument("unexpected size for input '" + std::string(from.name) +
                             "', expecting " + std::to_string(size - rest) + " additional bytes" +
                             OfModel(config));
    }
    to.data = binary.Sub(used, static_cast<size_t>(size));
    used += static_cast<size_t>(size);
  }
  if (used != binary.size) {
    return InvalidArgument("unexpected additional input data" + OfModel(config));
  }
  return inputs;
}

Status ResolveOutputs(const Service& service, const InferHead& head, InferRequest* request,
                      InferReplyPlan* plan) {
  const ModelConfig& config = request->model().config();
  request->requested_outputs.reserve(head.outputs.size());
  plan->outputs.reserve(head.outputs.size());
  for (const HeadOutput& output : head.outputs) {
    const int index = config.FindOutput(output.name);
    if (index < 0) {
      return InvalidArgument("unexpected inference output '" + std::string(output.name) + "'" +
                             OfModel(config));
    }
    if (request->WantsOutput(index) && !request->requested_outputs.empty())
      continue;  // asked twice
    request->requested_outputs.push_back(index);
    OutputWish& wish = plan->outputs.emplace_back();
    wish.index = index;
    wish.is_binary = output.is_binary;
    wish.classes = output.classes;
    if (!output.region.is_given) continue;
    PT_ASSIGN_OR_RETURN(wish.region, FindTarget(service, output.region, index, request));
  }
  return {};
}

// The whole body is the one input (spec/triton-frontend 2.4).
Result<NamedInput> DeduceRawInput(const ModelConfig& config, Slice body) {
  if (config.inputs.size() != 1) {
    return InvalidArgument("Raw request must only have 1 input (found 1) to be deduced but got " +
                           std::to_string(config.inputs.size()) + " inputs in '" + config.name +
                           "' model configuration");
  }
  const TensorSpec& spec = config.inputs.front();
  NamedInput input;
  input.name = spec.name;
  input.type = spec.type;
  input.type_name = DataTypeName(spec.type);
  int variable = -1;
  int64_t fixed = 1;
  if (config.max_batch_size > 0 && !input.shape.Append(1)) return Internal("shape is full");
  for (const int64_t dim : spec.dims.dims()) {
    if (dim < 0 && std::exchange(variable, input.shape.rank()) >= 0) {
      return InvalidArgument("The shape of the raw input '" + spec.name +
                             "' can not be deduced because there are more than one variable-sized "
                             "dimension");
    }
    if (dim >= 0 && __builtin_mul_overflow(fixed, dim, &fixed)) fixed = 0;
    if (!input.shape.Append(dim < 0 ? 1 : dim)) return Internal("shape is full");
  }
  const bool is_bytes = spec.type == DataType::kBytes;
  const int64_t unit = is_bytes ? 0 : fixed * static_cast<int64_t>(DataTypeSize(spec.type));
  if (variable >= 0 && unit > 0) {
    input.shape.set(variable, static_cast<int64_t>(body.size) / unit);
  }
  if (!is_bytes) {
    input.data = std::move(body);
    return input;
  }
  const std::string_view element = body.view();
  input.data = EncodeBytes({&element, 1});
  if (!input.data.owner) return Unavailable("no memory for input '" + spec.name + "'");
  return input;
}

Status FillRaw(RestCall& call, Slice body, InferRequest* request, InferReplyPlan* plan) {
  const uint64_t limit = call.service().options().max_json_bytes;
  if (body.size > limit) {
    return InvalidArgument("Raw input has a byte_size (" + std::to_string(body.size) +
                           " bytes) that exceeds the maximum allowed value of " +
                           std::to_string(limit) +
                           " bytes. Use --http-max-input-size to increase the limit.");
  }
  PT_ASSIGN_OR_RETURN(NamedInput input, DeduceRawInput(request->model().config(), std::move(body)));
  plan->wants_binary = true;
  NamedInputs inputs;
  inputs.push_back(std::move(input));
  return FillInputs(std::move(inputs), request);
}

Status FillFromHead(RestCall& call, const InferHead& head, const Slice& binary,
                    InferRequest* request, InferReplyPlan* plan) {
  request->id = head.id;
  request->parameters = head.parameters;
  request->priority = head.priority;
  request->correlation_id = head.correlation_id;
  request->sequence_flags = head.sequence_flags;
  request->timeout_us = head.timeout_us;
  plan->id = head.id;
  plan->wants_binary = head.wants_binary;
  PT_RETURN_IF_ERROR(ResolveOutputs(call.service(), head, request, plan));
  PT_ASSIGN_OR_RETURN(NamedInputs inputs, CollectInputs(call, head, binary, request));
  return FillInputs(std::move(inputs), request);
}

Status FillFromBody(RestCall& call, const InferBody& body, InferRequest* request,
                    InferReplyPlan* plan) {
  if (body.json.empty()) return FillRaw(call, body.binary, request, plan);
  PT_RETURN_IF_ERROR(CheckJsonSize(body.json, call.service().options().max_json_bytes));
  InferHeadPool& heads = *call.env.heads;
  std::unique_ptr<InferHead> head = heads.Take(body.json.view());
  Status status;
  if (!head->IsOf(body.json.view())) status = head->Read(body.json.view());
  if (status.ok()) status = FillFromHead(call, *head, body.binary, request, plan);
  heads.Return(std::move(head));
  return status;
}

Status FillFromHeaders(RestCall& call, InferRequest* request, InferReplyPlan* plan) {
  request->arrival = call.context.now;
  PT_ASSIGN_OR_RETURN(request->deadline, RequestDeadline(call.head, call.context.now));
  plan->coding = wire::ChooseContentCoding(call.head.Find("Accept-Encoding"));
  if (!call.env.forwarder->is_active()) return {};
  PT_ASSIGN_OR_RETURN(Parameters forwarded, call.env.forwarder->Forward(call.head));
  for (auto& [name, value] : forwarded) {
    SetParameter(std::move(name), std::move(value), &request->parameters);
  }
  return {};
}

void RefuseInfer(RestCall& call, const Status& status, std::string_view content_type) {
  HttpReply reply = ErrorReply(status, content_type);
  if (status.code() == Code::kUnsupported && content_type == kPlainType) {
    reply.more_headers.emplace_back("Accept-Encoding", "gzip, deflate");
  }
  call.sink->Send(std::move(reply));
}

}  // namespace

void HandleInfer(RestCall& call) {
  Result<ModelHandle> model = call.service().FindModel(call.path.model, call.path.version);
  if (!model.ok()) return call.sink->Send(ErrorReply(model.status(), kPlainType));
  if (model->get()->config().is_decoupled) {
    return call.sink->Send(ErrorReply(
        Unsupported("HTTP end point doesn't support models with decoupled transaction policy"),
        kPlainType));
  }
  Result<InferBody> body = SplitBody(call);
  if (!body.ok()) return RefuseInfer(call, body.status(), kPlainType);
  auto request = std::make_unique<InferRequest>(std::move(model).value(), nullptr);
  InferReplyPlan plan;
  plan.model = &request->model();
  plan.pool = call.context.pool;
  Status status = FillFromBody(call, *body, request.get(), &plan);
  if (status.ok()) status = FillFromHeaders(call, request.get(), &plan);
  if (!status.ok()) return RefuseInfer(call, status, kJsonType);
  auto responder = MakeRef<RestInferResponder>(std::move(plan), call.sink);
  call.sink->CancelWith(responder);
  request->AnswerTo(std::move(responder));
  if (call.service().ActiveTracer() != nullptr) TraceRequest(call, request.get());
  call.service().Infer(std::move(request), call.context);
}

}  // namespace pt::api
