#include "backend/worker_codec.h"

#include <utility>

namespace pt::backend {
namespace {

enum ParameterType : uint8_t { kBool = 0, kInteger = 1, kDouble = 2, kString = 3 };

// Whether a tensor of this shape has `size` bytes. BYTES tensors are checked when they are used.
bool SizeFits(const TensorRecord& tensor) {
  const std::optional<int64_t> elements = tensor.shape.ElementCount();
  if (!elements) return false;
  if (tensor.type == DataType::kBytes) return true;
  uint64_t bytes = 0;
  return !__builtin_mul_overflow(static_cast<uint64_t>(*elements), DataTypeSize(tensor.type),
                                 &bytes) &&
         bytes == tensor.size;
}

}  // namespace

void MessageWriter::PutParameters(const Parameters& parameters) {
  for (const auto& [key, value] : parameters) {
    Put(static_cast<uint16_t>(key.size())).Put(static_cast<uint8_t>(value.index()));
    Bytes(key);
    if (const bool* flag = std::get_if<bool>(&value)) {
      Put(static_cast<uint8_t>(*flag));
    } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
      Put(*integer);
    } else if (const double* number = std::get_if<double>(&value)) {
      Put(*number);
    } else {
      Text(std::get<std::string>(value));
    }
  }
}

std::string_view MessageReader::Bytes(size_t count) {
  if (count > rest_.size()) {
    is_ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return bytes;
}

Parameters MessageReader::GetParameters(size_t count) {
  Parameters parameters;
  for (size_t i = 0; i < count && is_ok_; ++i) {
    const auto key_size = Get<uint16_t>();
    const auto type = Get<uint8_t>();
    std::string key(Bytes(key_size));
    switch (type) {
      case kBool:
        parameters.emplace_back(std::move(key), Get<uint8_t>() != 0);
        break;
      case kInteger:
        parameters.emplace_back(std::move(key), Get<int64_t>());
        break;
      case kDouble:
        parameters.emplace_back(std::move(key), Get<double>());
        break;
      case kString:
        parameters.emplace_back(std::move(key), std::string(Text()));
        break;
      default:
        is_ok_ = false;
    }
  }
  return parameters;
}

void PutTensor(const TensorRecord& tensor, MessageWriter* out) {
  out->Put(tensor.index)
      .Put(static_cast<uint8_t>(tensor.type))
      .Put(static_cast<uint8_t>(tensor.shape.rank()))
      .Put(static_cast<uint16_t>(tensor.place))
      .Put(uint16_t{0})
      .Put(tensor.number)
      .Put(tensor.offset)
      .Put(tensor.size);
  for (const int64_t dim : tensor.shape.dims()) out->Put(dim);
  if (tensor.place == Place::kInline) out->Bytes(tensor.bytes);
}

std::optional<TensorRecord> GetTensor(MessageReader* in) {
  TensorRecord tensor;
  tensor.index = in->Get<uint16_t>();
  const auto type = in->Get<uint8_t>();
  const auto rank = in->Get<uint8_t>();
  const auto place = in->Get<uint16_t>();
  in->Get<uint16_t>();
  tensor.number = in->Get<uint32_t>();
  tensor.offset = in->Get<uint64_t>();
  tensor.size = in->Get<uint64_t>();
  if (!in->ok() || type == 0 || type > static_cast<uint8_t>(DataType::kBf16) ||
      rank > Shape::kMaxRank || place > static_cast<uint16_t>(Place::kInput)) {
    return std::nullopt;
  }
  tensor.type = static_cast<DataType>(type);
  tensor.place = static_cast<Place>(place);
  for (int axis = 0; axis < rank; ++axis) {
    if (!tensor.shape.Append(in->Get<int64_t>())) return std::nullopt;
  }
  if (tensor.place == Place::kInline) tensor.bytes = in->Bytes(tensor.size);
  if (!in->ok() || !SizeFits(tensor)) return std::nullopt;
  return tensor;
}

std::optional<ResponseRecord> GetResponse(MessageReader* in) {
  ResponseRecord response;
  response.key = in->Get<uint64_t>();
  const auto flags = in->Get<uint8_t>();
  response.is_final = (flags & 1) != 0;
  response.is_error = (flags & 2) != 0;
  response.code = in->Get<uint8_t>();
  const auto outputs = in->Get<uint16_t>();
  const auto parameters = in->Get<uint16_t>();
  in->Get<uint16_t>();
  response.error = in->Text();
  response.parameters = in->GetParameters(parameters);
  if (!in->ok()) return std::nullopt;
  for (uint16_t i = 0; i < outputs; ++i) {
    std::optional<TensorRecord> output = GetTensor(in);
    if (!output) return std::nullopt;
    response.outputs.push_back(std::move(*output));
  }
  return response;
}

}  // namespace pt::backend
