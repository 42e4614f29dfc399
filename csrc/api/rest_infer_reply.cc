#include "api/rest_infer_reply.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "api/classification.h"
#include "api/rest_reply.h"
#include "api/rest_tensor.h"

namespace pt::api {
namespace {

// Smaller binary outputs are copied behind the JSON: one piece to send is cheaper than two.
constexpr size_t kMaxCopied = 16 << 10;
constexpr size_t kHeadRoom = 256;
constexpr size_t kOutputRoom = 128;

void WriteShape(const Shape& shape, wire::JsonWriter* writer) {
  writer->Raw("[");
  bool is_first = true;
  for (const int64_t dim : shape.dims()) {
    if (!is_first) writer->Raw(",");
    is_first = false;
    writer->Integer(dim);
  }
  writer->Raw("]");
}

// Builds one answer: the JSON and the list of what goes behind it.
class Encoder {
 public:
  Encoder(const InferReplyPlan& plan, const InferResponse& response)
      : plan_(plan), writer_(plan.pool, RoomFor(response)) {}

  Result<HttpReply> Run(InferResponse&& response) {
    WriteHead(response.parameters);
    for (OutputTensor& output : response.outputs) {
      const OutputWish* wish = WishOf(output.index);
      if (wish == nullptr && !plan_.outputs.empty()) continue;
      PT_RETURN_IF_ERROR(WriteOutput(wish, &output));
    }
    writer_.Raw("]}");
    return Finish();
  }

 private:
  static size_t RoomFor(const InferResponse& response) {
    size_t room = kHeadRoom;
    for (const OutputTensor& output : response.outputs) {
      room += kOutputRoom + (output.tensor.data.size <= kMaxCopied ? output.tensor.data.size : 0);
    }
    return room;
  }

  const OutputWish* WishOf(int index) const {
    const auto at = std::find_if(plan_.outputs.begin(), plan_.outputs.end(),
                                 [&](const OutputWish& wish) { return wish.index == index; });
    return at == plan_.outputs.end() ? nullptr : &*at;
  }

  void WriteHead(const Parameters& parameters) {
    writer_.Raw("{");
    if (!plan_.id.empty()) writer_.Raw("\"id\":").String(plan_.id).Raw(",");
    writer_.Raw("\"model_name\":").String(plan_.model->name());
    writer_.Raw(",\"model_version\":\"").Raw(plan_.model->version_text()).Raw("\"");
    if (!parameters.empty()) {
      writer_.Raw(",\"parameters\":{");
      for (size_t i = 0; i < parameters.size(); ++i) {
        if (i > 0) writer_.Raw(",");
        WriteParameter(parameters[i].first, parameters[i].second, &writer_);
      }
      writer_.Raw("}");
    }
    writer_.Raw(",\"outputs\":[");
  }

  Status WriteOutput(const OutputWish* wish, OutputTensor* output) {
    const ModelConfig& config = plan_.model->config();
    const TensorSpec& spec = config.outputs[output->index];
    if (wish != nullptr && wish->classes > 0) {
      constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
      const auto count = static_cast<uint32_t>(std::min(wish->classes, kMost));
      const Batched batched = config.max_batch_size > 0 ? Batched::kYes : Batched::kNo;
      PT_ASSIGN_OR_RETURN(output->tensor,
                          Classify(output->tensor, spec, count, batched, plan_.pool));
    }
    const TensorView& tensor = output->tensor;
    writer_.Raw(has_outputs_ ? ",{\"name\":" : "{\"name\":").String(spec.name);
    has_outputs_ = true;
    writer_.Raw(",\"datatype\":\"").Raw(DataTypeName(tensor.type)).Raw("\",\"shape\":");
    WriteShape(tensor.shape, &writer_);
    if (wish != nullptr && wish->region.region) {
      writer_.Raw("}");
      return api::WriteOutput(wish->region, spec.name, tensor.data);
    }
    if (wish != nullptr ? wish->is_binary : plan_.wants_binary) {
      writer_.Raw(",\"parameters\":{\"binary_data_size\":");
      writer_.Integer(static_cast<uint64_t>(tensor.data.size)).Raw("}}");
      if (!tensor.data.empty()) blobs_.push_back(tensor.data);
      return {};
    }
    writer_.Raw(",\"data\":");
    PT_RETURN_IF_ERROR(TensorToJson(tensor, spec.name, &writer_));
    writer_.Raw("}");
    return {};
  }

  Result<HttpReply> Finish() {
    const size_t head_size = writer_.size();
    // Small blobs join the block of the JSON; a large one divides it into parts.
    std::vector<std::pair<size_t, Slice>> large;  // where in the block, what
    for (Slice& blob : blobs_) {
      if (blob.size <= kMaxCopied) {
        writer_.Raw(blob.view());
      } else {
        large.emplace_back(writer_.size(), std::move(blob));
      }
    }
    if (!writer_.ok()) return Unavailable("no memory for the answer");
    HttpReply reply;
    reply.content_type = blobs_.empty() ? kJsonType : kOctetType;
    if (!blobs_.empty()) reply.inference_header_length = static_cast<int64_t>(head_size);
    const Slice block = std::move(writer_).Take();
    reply.body.reserve(2 * large.size() + 1);
    size_t done = 0;
    for (auto& [offset, blob] : large) {
      if (offset > done) reply.body.push_back(block.Sub(done, offset - done));
      done = offset;
      reply.body.push_back(std::move(blob));
    }
    if (block.size > done) reply.body.push_back(block.Sub(done, block.size - done));
    PT_RETURN_IF_ERROR(Pack(&reply));
    return reply;
  }

  Status Pack(HttpReply* reply) {
    if (plan_.coding == wire::ContentCoding::kIdentity) return {};
    PT_ASSIGN_OR_RETURN(Slice packed, wire::Compress(reply->body, plan_.coding, plan_.pool));
    reply->body.clear();
    reply->body.push_back(std::move(packed));
    reply->content_encoding = wire::ContentCodingName(plan_.coding);
    return {};
  }

  const InferReplyPlan& plan_;
  wire::JsonWriter writer_;
  SliceList blobs_;
  bool has_outputs_ = false;
};

}  // namespace

void RestInferResponder::Send(InferResponse&& response, Finality finality) {
  // One answer a call: a model that sends more is decoupled and never came here.
  if (!sink_ || (finality != Finality::kFinal && response.status.ok())) return;
  const RefPtr<HttpReplySink> sink = std::move(sink_);
  sink_ = nullptr;
  if (is_cancelled()) return;  // nobody is there to read it
  if (!response.status.ok()) {
    sink->Send(ErrorReply(response.status, kPlainType));
    return;
  }
  Encoder encoder(plan_, response);
  Result<HttpReply> reply = encoder.Run(std::move(response));
  sink->Send(reply.ok() ? std::move(reply).value() : ErrorReply(reply.status(), kPlainType));
}

void WriteParameter(std::string_view key, const ParameterValue& value, wire::JsonWriter* writer) {
  writer->String(key).Raw(":");
  if (const bool* flag = std::get_if<bool>(&value)) {
    writer->Bool(*flag);
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    writer->Integer(*integer);
  } else if (const double* number = std::get_if<double>(&value)) {
    writer->Double(*number);
  } else {
    writer->String(std::get<std::string>(value));
  }
}

}  // namespace pt::api
