#include "wire/infer_proto_writer.h"

#include "wire/proto_writer.h"

namespace pt::wire {
namespace {

constexpr uint64_t kFixed64FieldSize = 1 + sizeof(uint64_t);

uint64_t ParameterValueSize(const ParameterView& parameter) {
  switch (parameter.kind) {
    case ParameterKind::kUnset:
      return 0;
    case ParameterKind::kString:
      return BytesFieldSize(parameter.text.size());
    case ParameterKind::kDouble:
      return kFixed64FieldSize;
    default:
      return 1 + VarintSize(parameter.bits);
  }
}

// A map entry always holds both fields, as libprotobuf writes it.
uint64_t ParameterSize(const ParameterView& parameter) {
  return BytesFieldSize(parameter.key.size()) + BytesFieldSize(ParameterValueSize(parameter));
}

void WriteParameter(ProtoWriter* writer, const ParameterView& parameter) {
  writer->Bytes(1, parameter.key);
  writer->BytesHead(2, ParameterValueSize(parameter));
  switch (parameter.kind) {
    case ParameterKind::kUnset:
      break;
    case ParameterKind::kBool:
      writer->VarintField(1, parameter.bits);
      break;
    case ParameterKind::kInt64:
      writer->VarintField(2, parameter.bits);
      break;
    case ParameterKind::kString:
      writer->Bytes(3, parameter.text);
      break;
    case ParameterKind::kDouble:
      writer->Fixed64Field(4, parameter.bits);
      break;
    case ParameterKind::kUint64:
      writer->VarintField(5, parameter.bits);
      break;
  }
}

uint64_t PackedSize(std::span<const int64_t> shape) {
  uint64_t size = 0;
  for (int64_t dim : shape) size += VarintSize(static_cast<uint64_t>(dim));
  return size;
}

uint64_t OutputSize(const OutputTensorData& output) {
  const uint64_t packed = PackedSize(output.shape);
  return TextFieldSize(output.name) + TextFieldSize(output.datatype) +
         (packed == 0 ? 0 : BytesFieldSize(packed));
}

void WriteOutput(ProtoWriter* writer, const OutputTensorData& output) {
  writer->BytesHead(5, OutputSize(output));
  writer->Text(1, output.name);
  writer->Text(2, output.datatype);
  if (output.shape.empty()) return;
  writer->BytesHead(3, PackedSize(output.shape));
  for (int64_t dim : output.shape) writer->Varint(static_cast<uint64_t>(dim));
}

// Everything but raw_output_contents.
uint64_t HeadSize(const InferResponseData& response) {
  uint64_t size = TextFieldSize(response.model_name) + TextFieldSize(response.model_version) +
                  TextFieldSize(response.id);
  for (const ParameterView& parameter : response.parameters) {
    size += BytesFieldSize(ParameterSize(parameter));
  }
  for (const OutputTensorData& output : response.outputs) {
    size += BytesFieldSize(OutputSize(output));
  }
  return size;
}

void WriteHead(ProtoWriter* writer, const InferResponseData& response) {
  writer->Text(1, response.model_name);
  writer->Text(2, response.model_version);
  writer->Text(3, response.id);
  for (const ParameterView& parameter : response.parameters) {
    writer->BytesHead(4, ParameterSize(parameter));
    WriteParameter(writer, parameter);
  }
  for (const OutputTensorData& output : response.outputs) WriteOutput(writer, output);
}

bool IsShared(const OutputTensorData& output) { return output.bytes->size >= kShareBytes; }

// Writes raw_output_contents; the block's bytes from `begin` on are not in `slices` yet.
void WriteRaw(ProtoWriter* writer, const InferResponseData& response, const BlockRef& block,
              SliceList* slices) {
  const char* begin = block->data();
  for (const OutputTensorData& output : response.outputs) {
    writer->BytesHead(6, output.bytes->size);
    if (!IsShared(output)) {
      writer->Raw(output.bytes->view());
      continue;
    }
    slices->emplace_back(block, begin, static_cast<size_t>(writer->at() - begin));
    slices->push_back(*output.bytes);
    begin = writer->at();
  }
  if (writer->at() != begin || slices->empty()) {
    slices->emplace_back(block, begin, static_cast<size_t>(writer->at() - begin));
  }
}

}  // namespace

InferResponseSize Measure(const InferResponseData& response) {
  InferResponseSize size;
  size.head = HeadSize(response);
  for (const OutputTensorData& output : response.outputs) {
    const uint64_t head = BytesHeadSize(output.bytes->size);
    size.raw += head + output.bytes->size;
    size.copied += head + (IsShared(output) ? 0 : output.bytes->size);
  }
  return size;
}

SliceList EncodeInferResponse(const InferResponseData& response, const InferResponseSize& size,
                              BlockPool* pool) {
  SliceList slices;
  const BlockRef block = pool->Allocate(size.head + size.copied);
  if (!block) return slices;
  ProtoWriter writer(block->data());
  WriteHead(&writer, response);
  WriteRaw(&writer, response, block, &slices);
  return slices;
}

SliceList EncodeStreamResponse(const InferResponseData& response, const InferResponseSize& size,
                               std::string_view error_message, BlockPool* pool) {
  SliceList slices;
  const BlockRef block = pool->Allocate(TextFieldSize(error_message) + BytesHeadSize(size.total()) +
                                        size.head + size.copied);
  if (!block) return slices;
  ProtoWriter writer(block->data());
  writer.Text(1, error_message);
  writer.BytesHead(2, size.total());
  WriteHead(&writer, response);
  WriteRaw(&writer, response, block, &slices);
  return slices;
}

}  // namespace pt::wire
