#include "load/answer.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "load/proto.h"

namespace pt::load {
namespace {

std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 200;
  std::string quoted(1, '\'');
  quoted += text.substr(0, kShown);
  return quoted += text.size() > kShown ? "...'" : "'";
}

// Name, type and shape of an output as an answer tells them.
struct Described {
  std::string_view name;
  std::string_view datatype;
  std::vector<int64_t> shape;
};

Status CheckDescribed(const Described& output, const Workload& workload) {
  if (output.datatype != "FP32") {
    return Internal("output " + Quoted(output.name) + ": expected FP32, got " +
                    Quoted(output.datatype));
  }
  if (output.shape != std::vector<int64_t>{workload.rows(), workload.elements()}) {
    std::string got;
    for (int64_t dimension : output.shape) got += " " + std::to_string(dimension);
    return Internal("output " + Quoted(output.name) + ": expected shape " +
                    std::to_string(workload.rows()) + " " + std::to_string(workload.elements()) +
                    ", got" + got);
  }
  return {};
}

std::optional<Described> DescribedByProto(std::string_view bytes) {
  Described output;
  ProtoReader reader(bytes);
  while (auto field = reader.Next()) {
    if (field->number == 1) output.name = field->bytes;
    if (field->number == 2) output.datatype = field->bytes;
    if (field->number != 3) continue;
    if (field->bytes.empty()) output.shape.push_back(static_cast<int64_t>(field->value));
    ProtoReader packed(field->bytes);
    while (auto value = packed.NextVarint()) output.shape.push_back(static_cast<int64_t>(*value));
  }
  if (reader.is_broken()) return std::nullopt;
  return output;
}

Described DescribedByJson(const JsonValue& json) {
  Described output{json.At("name").text, json.At("datatype").text, {}};
  for (const JsonValue& item : json.At("shape").items) {
    output.shape.push_back(std::strtoll(item.text.c_str(), nullptr, 10));
  }
  return output;
}

}  // namespace

AnswerBook::AnswerBook(const Options& options, const Workload* workload)
    : workload_(workload), protocol_(options.protocol), is_checking_(options.is_checking) {}

Status AnswerBook::OpenWindow(const Options& options) {
  number_name_ = options.number_name;
  return number_name_.empty() ? Status() : window_.Open(options.number_file);
}

Status AnswerBook::CheckNumber(int64_t lowest) const {
  if (!window_.is_open()) return {};
  const int64_t highest = window_.highest();
  if (number_ >= lowest && number_ <= highest) return {};
  return Internal("parameter " + Quoted(number_name_) + ": expected " + std::to_string(lowest) +
                  " to " + std::to_string(highest) + ", got " + std::to_string(number_));
}

Status AnswerBook::ReadNumber(const JsonValue& answer) {
  if (!window_.is_open()) return {};
  const std::string& text = answer.At("parameters").At(number_name_).text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number_);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return Internal("parameter " + Quoted(number_name_) + ": expected a whole number, got " +
                  Quoted(text));
}

Result<size_t> AnswerBook::OutputIndex(std::string_view name) const {
  const std::vector<PlannedTensor>& outputs = workload_->outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].name == name) return i;
  }
  std::string names;
  for (const PlannedTensor& output : outputs) {
    names += (names.empty() ? "" : " and ") + Quoted(output.name);
  }
  return Internal("expected " + names + ", got the output " + Quoted(name));
}

Status AnswerBook::FindInHttp(std::string_view answer, size_t json_bytes,
                              std::vector<Found>* found) {
  if (json_bytes == 0 || json_bytes > answer.size()) {
    return Internal("expected binary tensors (Inference-Header-Content-Length), got " +
                    Quoted(answer));
  }
  std::optional<JsonValue> json = ParseJson(answer.substr(0, json_bytes));
  if (!json) return Internal("expected JSON, got " + Quoted(answer.substr(0, json_bytes)));
  PT_RETURN_IF_ERROR(ReadNumber(*json));
  const std::vector<JsonValue>& outputs = json->At("outputs").items;
  if (outputs.size() != found->size()) {
    return Internal("expected " + std::to_string(found->size()) + " outputs, got " +
                    std::to_string(outputs.size()));
  }
  size_t offset = json_bytes;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Described output = DescribedByJson(outputs[i]);
    PT_RETURN_IF_ERROR(CheckDescribed(output, *workload_));
    PT_ASSIGN_OR_RETURN((*found)[i].output, OutputIndex(output.name));
    (*found)[i].offset = offset;
    const std::string& size = outputs[i].At("parameters").At("binary_data_size").text;
    if (size != std::to_string(workload_->tensor_bytes())) {
      return Internal("output " + Quoted(output.name) + ": expected binary_data_size " +
                      std::to_string(workload_->tensor_bytes()) + ", got " + Quoted(size));
    }
    offset += workload_->tensor_bytes();
  }
  return {};
}

Status AnswerBook::FindInGrpc(std::string_view answer, std::vector<Found>* found) const {
  ProtoReader reader(answer);
  size_t outputs = 0;
  size_t contents = 0;
  while (auto field = reader.Next()) {
    if (field->number == 5 && outputs < found->size()) {
      std::optional<Described> output = DescribedByProto(field->bytes);
      if (!output) return Internal("expected an InferOutputTensor, got broken protobuf");
      PT_RETURN_IF_ERROR(CheckDescribed(*output, *workload_));
      PT_ASSIGN_OR_RETURN((*found)[outputs].output, OutputIndex(output->name));
    } else if (field->number == 6 && contents < found->size()) {
      if (field->bytes.size() != workload_->tensor_bytes()) {
        return Internal("expected raw_output_contents of " +
                        std::to_string(workload_->tensor_bytes()) + " bytes, got " +
                        std::to_string(field->bytes.size()));
      }
      (*found)[contents].offset = static_cast<size_t>(field->bytes.data() - answer.data());
    }
    outputs += field->number == 5;
    contents += field->number == 6;
  }
  if (reader.is_broken()) return Internal("expected a ModelInferResponse, got broken protobuf");
  if (outputs != found->size() || contents != found->size()) {
    const std::string count = std::to_string(found->size());
    return Internal("expected " + count + " outputs and " + count + " raw_output_contents, got " +
                    std::to_string(outputs) + " and " + std::to_string(contents));
  }
  return {};
}

Status AnswerBook::CheckTensors(std::string_view answer, const std::vector<Found>& found) const {
  size_t size = workload_->tensor_bytes();
  if (found.size() > 1 && found[0].output == found[1].output) {
    return Internal("expected both outputs, got one twice");
  }
  for (const Found& place : found) {
    const PlannedTensor& output = workload_->outputs()[place.output];
    Message expected;
    expected.AddRepeated(output.block, size);
    std::string_view got = answer.substr(place.offset, size);
    if (got.size() != size || !expected.Matches(0, got)) {
      return Internal("output " + Quoted(output.name) + ": wrong values");
    }
  }
  return {};
}

Status AnswerBook::Verify(std::string_view answer, size_t json_bytes) {
  known_ = Message();  // one that turns out wrong leaves nothing to compare with
  size_t size = workload_->tensor_bytes();
  std::vector<Found> found;  // where they are in a raw answer
  for (size_t i = 0; i < workload_->outputs().size(); ++i) found.push_back({i, i * size});
  if (protocol_ == Protocol::kHttp) {
    PT_RETURN_IF_ERROR(FindInHttp(answer, json_bytes, &found));
  } else if (protocol_ == Protocol::kGrpc) {
    PT_RETURN_IF_ERROR(FindInGrpc(answer, &found));
  }
  const auto by_offset = [](const Found& a, const Found& b) { return a.offset < b.offset; };
  std::sort(found.begin(), found.end(), by_offset);
  size_t end = found.back().offset + size;
  bool is_short = answer.size() < end;
  if (is_short || (protocol_ != Protocol::kGrpc && answer.size() != end)) {
    return Internal("expected an answer of " + std::to_string(end) + " bytes, got " +
                    std::to_string(answer.size()));
  }
  PT_RETURN_IF_ERROR(CheckTensors(answer, found));

  Message known;
  size_t done = 0;
  for (const Found& place : found) {
    known.AddLiteral(answer.substr(done, place.offset - done));
    known.AddRepeated(workload_->outputs()[place.output].block, size);
    done = place.offset + size;
  }
  known.AddLiteral(answer.substr(done));
  known.Compact();
  known_ = std::move(known);
  known_json_bytes_ = json_bytes;
  return {};
}

void AnswerCheck::Feed(AnswerBook& book, std::string_view bytes) {
  if (!book.is_checking()) return;
  if (!is_different_) {
    if (book.known().Matches(matched_, bytes)) {
      matched_ += bytes.size();
      return;
    }
    is_different_ = true;
    bytes_ = book.known().Copy(0, matched_);
  }
  bytes_.append(bytes);
}

Status AnswerCheck::Finish(AnswerBook& book, size_t json_bytes) {
  if (!book.is_checking()) return {};
  PT_RETURN_IF_ERROR(FinishBytes(book, json_bytes));
  return book.CheckNumber(lowest_);
}

Status AnswerCheck::FinishBytes(AnswerBook& book, size_t json_bytes) {
  if (!is_different_) {
    bool is_known = matched_ == book.known().size() && matched_ > 0;
    if (is_known && json_bytes == book.known_json_bytes()) return {};
    bytes_ = book.known().Copy(0, matched_);
  }
  Status status = book.Verify(bytes_, json_bytes);
  std::string().swap(bytes_);
  return status;
}

}  // namespace pt::load
