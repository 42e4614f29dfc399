#include "api/generate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "api/generate_request.h"
#include "api/rest_handlers.h"
#include "api/rest_headers.h"
#include "api/rest_infer_reply.h"
#include "api/rest_reply.h"
#include "api/rest_tensor.h"
#include "wire/content_coding.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

constexpr std::string_view kStreamType = "text/event-stream; charset=utf-8";
constexpr std::string_view kNotOne =
    "generate expects model to produce exactly 1 response, use generate stream for model that "
    "generates various number of responses";

// One element stands alone, without its brackets.
Status WriteValue(const TensorView& tensor, std::string_view name, wire::JsonWriter* writer) {
  wire::JsonWriter array(nullptr);
  PT_RETURN_IF_ERROR(TensorToJson(tensor, name, &array));
  std::string_view text = array.view();
  if (tensor.shape.ElementCount() == 1) text = text.substr(1, text.size() - 2);
  writer->Raw(text);
  return array.ok() ? Status() : Unavailable("no memory for output '" + std::string(name) + "'");
}

void Handle(RestCall& call, GenerateMode mode) {
  Result<ModelHandle> model = call.service().FindModel(call.path.model, call.path.version);
  if (!model.ok()) return call.sink->Send(ErrorReply(model.status(), kJsonType));
  const std::string_view coding = call.head.Find("Content-Encoding");
  if (!coding.empty() && coding != "identity") {
    return call.sink->Send(
        ErrorReply(400, "Unsupported content-encoding, only 'identity' is supported.", kJsonType));
  }
  auto request = std::make_unique<InferRequest>(std::move(model).value(), nullptr);
  request->arrival = call.context.now;
  Status status = FillGenerate(call.body.view(), call.service().options().max_json_depth,
                               call.context.pool, request.get());
  if (status.ok()) {
    const Result<TimePoint> deadline = RequestDeadline(call.head, call.context.now);
    status = deadline.status();
    if (status.ok()) request->deadline = *deadline;
  }
  if (!status.ok()) return call.sink->Send(ErrorReply(status, kJsonType));
  auto responder = MakeRef<GenerateResponder>(&request->model(), call.context.pool, request->id,
                                              mode, call.sink);
  call.sink->CancelWith(responder);
  request->AnswerTo(std::move(responder));
  if (call.service().ActiveTracer() != nullptr) TraceRequest(call, request.get());
  call.service().Infer(std::move(request), call.context);
}

}  // namespace

void HandleGenerate(RestCall& call) { Handle(call, GenerateMode::kOne); }

void HandleGenerateStream(RestCall& call) { Handle(call, GenerateMode::kStream); }

void GenerateResponder::Send(InferResponse&& response, Finality finality) {
  if (!sink_) return;
  if (is_cancelled()) {
    // Nobody is there to read it.
  } else if (mode_ == GenerateMode::kStream) {
    SendStream(std::move(response), finality);
  } else {
    SendOne(std::move(response), finality);
  }
  if (finality == Finality::kFinal) sink_.Reset();
}

void GenerateResponder::BeginStream(int status) {
  if (std::exchange(has_begun_, true)) return;
  HttpReply head;
  head.status = status;
  head.content_type = kStreamType;
  sink_->SendHead(std::move(head));
}

Slice GenerateResponder::ErrorEvent(const Status& status) const {
  return Slice::OfString("data: " + wire::JsonError(status.message()) + "\n\n");
}

void GenerateResponder::SendStream(InferResponse&& response, Finality finality) {
  const bool is_end_mark =
      finality == Finality::kFinal && response.status.ok() && response.outputs.empty();
  if (is_end_mark) {
    BeginStream(200);
  } else if (!response.status.ok()) {
    BeginStream(HttpStatusOf(response.status.code()));
    sink_->SendChunk({ErrorEvent(response.status)});
  } else {
    Result<Slice> event = Encode(response);
    BeginStream(event.ok() ? 200 : HttpStatusOf(event.status().code()));
    sink_->SendChunk({event.ok() ? std::move(event).value() : ErrorEvent(event.status())});
  }
  if (finality == Finality::kFinal) sink_->End();
}

void GenerateResponder::SendOne(InferResponse&& response, Finality finality) {
  const bool is_end_mark =
      finality == Finality::kFinal && response.status.ok() && response.outputs.empty();
  if (!is_end_mark && responses_++ == 0) {
    status_ = response.status;
    if (status_.ok()) {
      Result<Slice> object = Encode(response);
      status_ = object.status();
      if (object.ok()) only_ = std::move(object).value();
    }
  }
  if (finality != Finality::kFinal) return;
  // An error is told as it is, whatever came besides.
  if (!response.status.ok()) status_ = response.status;
  if (!status_.ok()) return sink_->Send(ErrorReply(status_, kJsonType));
  if (responses_ != 1) return sink_->Send(ErrorReply(200, kNotOne, kJsonType));
  HttpReply reply = EmptyReply(200, kJsonType);
  reply.body.push_back(std::move(only_));
  sink_->Send(std::move(reply));
}

// Members sorted bytewise: names of outputs and parameters mixed with id, model_name,
// model_version.
Result<Slice> GenerateResponder::Encode(const InferResponse& response) const {
  using Member = std::pair<std::string_view, std::string>;  // name, `"name":value`
  std::vector<Member> members;
  const auto add = [&](std::string_view key, const ParameterValue& value) {
    wire::JsonWriter writer(nullptr);
    WriteParameter(key, value, &writer);
    members.emplace_back(key, std::string(writer.view()));
  };
  if (!id_.empty()) add("id", id_);
  add("model_name", model_->name());
  add("model_version", model_->version_text());
  for (const auto& [key, value] : response.parameters) add(key, value);
  for (const OutputTensor& output : response.outputs) {
    const std::string& name = model_->config().outputs[static_cast<size_t>(output.index)].name;
    wire::JsonWriter writer(nullptr);
    writer.String(name).Raw(":");
    PT_RETURN_IF_ERROR(WriteValue(output.tensor, name, &writer));
    members.emplace_back(name, std::string(writer.view()));
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.first < b.first; });
  wire::JsonWriter writer(pool_);
  if (mode_ == GenerateMode::kStream) writer.Raw("data: ");
  writer.Raw("{");
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0) writer.Raw(",");
    writer.Raw(members[i].second);
  }
  writer.Raw("}");
  if (mode_ == GenerateMode::kStream) writer.Raw("\n\n");
  if (!writer.ok()) return Unavailable("no memory for the answer");
  return std::move(writer).Take();
}

}  // namespace pt::api
