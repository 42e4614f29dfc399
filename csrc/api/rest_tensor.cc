#include "api/rest_tensor.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "infer/validate.h"
#include "tensor/bytes_tensor.h"

namespace pt::api {
namespace {

using wire::JsonLeaves;
using wire::JsonType;
using wire::JsonValue;
using wire::UnableToParse;

constexpr size_t kBurst = 256;  // elements written between two looks at the room left

Status WrongCount(const HeadInput& input) {
  return UnableToParse("data",
                       input.data.ErrorHere("Shape does not match true shape of 'data' field"));
}

template <typename T>
Status OutOfRange(JsonValue leaf, const HeadInput& input) {
  const std::string got = leaf.type() == JsonType::kUint ? std::to_string(leaf.uint_unchecked())
                                                         : std::to_string(leaf.int_unchecked());
  return UnableToParse(
      "data", leaf.ErrorHere("expected " + std::string(input.type_name) + " in [" +
                             std::to_string(std::numeric_limits<T>::min()) + ", " +
                             std::to_string(std::numeric_limits<T>::max()) + "], got " + got));
}

// One element into `out`. The common cases don't make a Result.
template <typename T>
Status ReadElement(JsonValue leaf, const HeadInput& input, T* out) {
  const JsonType type = leaf.type();
  if constexpr (std::is_same_v<T, bool>) {
    if (type != JsonType::kBool) return UnableToParse("data", leaf.AsBool().status());
    *out = leaf.bool_unchecked();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (type == JsonType::kDouble) {
      *out = static_cast<T>(leaf.double_unchecked());
    } else {
      const Result<double> number = leaf.AsDouble();
      if (!number.ok()) return UnableToParse("data", number.status());
      *out = static_cast<T>(*number);
    }
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    const Result<uint64_t> number = leaf.AsUint64();
    if (!number.ok()) return UnableToParse("data", number.status());
    *out = *number;
  } else {
    if (type == JsonType::kUint) return OutOfRange<T>(leaf, input);
    if (type != JsonType::kInt) {
      const Status wrong = std::is_signed_v<T> ? leaf.AsInt64().status() : leaf.AsUint64().status();
      return UnableToParse("data", wrong);
    }
    const int64_t number = leaf.int_unchecked();
    if (number < static_cast<int64_t>(std::numeric_limits<T>::min()) ||
        number > static_cast<int64_t>(std::numeric_limits<T>::max())) {
      return OutOfRange<T>(leaf, input);
    }
    *out = static_cast<T>(number);
  }
  return {};
}

template <typename T>
Status ReadElements(const HeadInput& input, int64_t count, char* bytes) {
  JsonLeaves leaves(input.data);
  JsonValue leaf;
  T* out = reinterpret_cast<T*>(bytes);
  for (int64_t i = 0; i < count; ++i) {
    if (!leaves.Next(&leaf)) return WrongCount(input);
    PT_RETURN_IF_ERROR(ReadElement(leaf, input, out + i));
  }
  return leaves.Next(&leaf) ? WrongCount(input) : Status();
}

Status ReadInto(const HeadInput& input, int64_t count, char* bytes) {
  switch (input.type) {
    case DataType::kBool:
      return ReadElements<bool>(input, count, bytes);
    case DataType::kUint8:
      return ReadElements<uint8_t>(input, count, bytes);
    case DataType::kUint16:
      return ReadElements<uint16_t>(input, count, bytes);
    case DataType::kUint32:
      return ReadElements<uint32_t>(input, count, bytes);
    case DataType::kUint64:
      return ReadElements<uint64_t>(input, count, bytes);
    case DataType::kInt8:
      return ReadElements<int8_t>(input, count, bytes);
    case DataType::kInt16:
      return ReadElements<int16_t>(input, count, bytes);
    case DataType::kInt32:
      return ReadElements<int32_t>(input, count, bytes);
    case DataType::kInt64:
      return ReadElements<int64_t>(input, count, bytes);
    case DataType::kFp32:
      return ReadElements<float>(input, count, bytes);
    case DataType::kFp64:
      return ReadElements<double>(input, count, bytes);
    default:
      return input.data.ErrorHere("receiving " + std::string(input.type_name) +
                                  " data via JSON is not supported. Please use the binary data "
                                  "format for input " +
                                  std::string(input.name));
  }
}

Result<Slice> ReadStrings(const HeadInput& input, BlockPool* pool) {
  size_t size = 0;
  JsonLeaves sizes(input.data);
  for (JsonValue leaf; sizes.Next(&leaf);) {
    if (!leaf.is_string()) return UnableToParse("data", leaf.AsString().status());
    size += kBytesLengthSize + leaf.string_unchecked().size();
  }
  BlockRef block = pool->Allocate(size);
  if (!block) return Unavailable("no memory for input '" + std::string(input.name) + "'");
  char* out = block->data();
  JsonLeaves leaves(input.data);
  for (JsonValue leaf; leaves.Next(&leaf);) {
    const std::string_view text = leaf.string_unchecked();
    const uint32_t length = static_cast<uint32_t>(text.size());  // JSON texts are below 2^30 bytes
    std::memcpy(out, &length, sizeof(length));
    std::memcpy(out + sizeof(length), text.data(), text.size());
    out += sizeof(length) + text.size();
  }
  const char* const data = block->data();
  return Slice(std::move(block), data, size);
}

int64_t CountLeaves(JsonValue array) {
  int64_t count = 0;
  JsonLeaves leaves(array);
  for (JsonValue leaf; leaves.Next(&leaf);) ++count;
  return count;
}

template <typename T>
char* WriteElement(T value, char* out) {
  if constexpr (std::is_same_v<T, bool>) {
    const std::string_view text = value ? "true" : "false";
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  } else if constexpr (std::is_floating_point_v<T>) {
    return wire::WriteJsonDouble(static_cast<double>(value), out);
  } else if constexpr (std::is_signed_v<T>) {
    return wire::WriteJsonInteger(static_cast<int64_t>(value), out);
  } else {
    return wire::WriteJsonInteger(static_cast<uint64_t>(value), out);
  }
}

template <typename T>
void WriteElements(const Slice& data, wire::JsonWriter* writer) {
  const size_t count = data.size / sizeof(T);
  for (size_t done = 0; done < count;) {
    const size_t end = std::min(count, done + kBurst);
    char* out = writer->Reserve((end - done) * (wire::kMaxJsonDouble + 1));
    if (out == nullptr) return;
    for (; done < end; ++done) {
      T value;
      std::memcpy(&value, data.data + done * sizeof(T), sizeof(T));
      if (done > 0) *out++ = ',';
      out = WriteElement(value, out);
    }
    writer->Commit(out);
  }
}

// Any byte but 0 is true; reading it as bool would be undefined.
void WriteBools(const Slice& data, wire::JsonWriter* writer) {
  for (size_t i = 0; i < data.size; ++i) {
    if (i > 0) writer->Raw(",");
    writer->Bool(data.data[i] != 0);
  }
}

Status WriteStrings(const Slice& data, wire::JsonWriter* writer) {
  BytesReader reader(data.view());
  bool is_first = true;
  while (const auto element = reader.Next()) {
    if (!is_first) writer->Raw(",");
    is_first = false;
    writer->String(*element);
  }
  return reader.rest().empty() ? Status() : Internal("BYTES output data is cut inside an element");
}

Status WriteData(const TensorView& tensor, std::string_view name, wire::JsonWriter* writer) {
  switch (tensor.type) {
    case DataType::kBool:
      WriteBools(tensor.data, writer);
      return {};
    case DataType::kUint8:
      WriteElements<uint8_t>(tensor.data, writer);
      return {};
    case DataType::kUint16:
      WriteElements<uint16_t>(tensor.data, writer);
      return {};
    case DataType::kUint32:
      WriteElements<uint32_t>(tensor.data, writer);
      return {};
    case DataType::kUint64:
      WriteElements<uint64_t>(tensor.data, writer);
      return {};
    case DataType::kInt8:
      WriteElements<int8_t>(tensor.data, writer);
      return {};
    case DataType::kInt16:
      WriteElements<int16_t>(tensor.data, writer);
      return {};
    case DataType::kInt32:
      WriteElements<int32_t>(tensor.data, writer);
      return {};
    case DataType::kInt64:
      WriteElements<int64_t>(tensor.data, writer);
      return {};
    case DataType::kFp32:
      WriteElements<float>(tensor.data, writer);
      return {};
    case DataType::kFp64:
      WriteElements<double>(tensor.data, writer);
      return {};
    case DataType::kBytes:
      return WriteStrings(tensor.data, writer);
    default:
      return InvalidArgument("sending " + std::string(DataTypeName(tensor.type)) +
                             " data via JSON is not supported. Please use the binary data format "
                             "for output " +
                             std::string(name));
  }
}

}  // namespace

Result<Slice> TensorFromJson(const HeadInput& input, BlockPool* pool) {
  if (input.type == DataType::kBytes) return ReadStrings(input, pool);
  PT_ASSIGN_OR_RETURN(const int64_t bytes, ByteSize(input.type, input.shape, input.name));
  const int64_t count = bytes / static_cast<int64_t>(DataTypeSize(input.type));
  if (count == 0) return Slice::Static("");  // whatever `data` holds: there is nothing to read
  // A shape costs nothing to write; its memory is taken only for elements that are there.
  constexpr int64_t kTrusted = 4096;
  if (count > kTrusted && CountLeaves(input.data) != count) return WrongCount(input);
  BlockRef block = pool->Allocate(static_cast<size_t>(bytes));
  if (!block) return Unavailable("no memory for input '" + std::string(input.name) + "'");
  PT_RETURN_IF_ERROR(ReadInto(input, count, block->data()));
  const char* const data = block->data();
  return Slice(std::move(block), data, static_cast<size_t>(bytes));
}

Status TensorToJson(const TensorView& tensor, std::string_view name, wire::JsonWriter* writer) {
  writer->Raw("[");
  PT_RETURN_IF_ERROR(WriteData(tensor, name, writer));
  writer->Raw("]");
  return {};
}

}  // namespace pt::api
