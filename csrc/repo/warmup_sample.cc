#include "repo/warmup_sample.h"

#include <cstring>
#include <optional>
#include <random>

#include "repo/config_convert.h"
#include "repo/config_files.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using Input = inference::ModelWarmup::Input;

// Every instance makes its own when it starts: more would be a way to use up the memory.
constexpr int64_t kMaxBytes = int64_t{2} << 30;
constexpr size_t kLengthBytes = 4;  // of an element of a BYTES tensor

struct Wanted {
  const std::string& sample;
  const std::string& name;
  const Input& input;
  const std::string& model_dir;
  int64_t batch;
};

Status Refuse(const Wanted& wanted, const std::string& text) {
  return InvalidArgument("failed to run warmup sample '" + wanted.sample + "': " + text);
}

Result<Shape> ShapeOf(const Wanted& wanted) {
  Shape shape;
  if (wanted.batch > 0) (void)shape.Append(wanted.batch);
  for (const int64_t dim : wanted.input.dims()) {
    if (dim < 0) {
      return Refuse(
          wanted, "warmup setting expects all variable-size dimensions are specified for input '" +
                      wanted.name + "'");
    }
    if (!shape.Append(dim)) {
      return Refuse(wanted, "expected at most " + std::to_string(Shape::kMaxRank) +
                                " dimensions for input '" + wanted.name + "'");
    }
  }
  return shape;
}

// Values that any model takes: no NaN, no infinity, numbers between 0 and 1 or whole ones.
std::string RandomBytes(DataType type, size_t size) {
  std::string bytes(size, '\0');
  // The same data at every load, on purpose.
  std::minstd_rand random(1);  // NOLINT(bugprone-random-generator-seed)
  const auto fill = [&](auto make) {
    for (size_t at = 0; at + sizeof(make()) <= size; at += sizeof(make())) {
      const auto value = make();
      std::memcpy(bytes.data() + at, &value, sizeof value);
    }
  };
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  switch (type) {
    case DataType::kFp32:
      fill([&] { return static_cast<float>(unit(random)); });
      break;
    case DataType::kFp64:
      fill([&] { return unit(random); });
      break;
    case DataType::kFp16:  // sign 0, exponent below that of 1
      fill([&] { return static_cast<uint16_t>(random() % 0x3C00); });
      break;
    case DataType::kBf16:
      fill([&] { return static_cast<uint16_t>(random() % 0x3F80); });
      break;
    case DataType::kBool:
      fill([&] { return static_cast<uint8_t>(random() & 1); });
      break;
    default:
      fill([&] { return static_cast<uint8_t>(random() >> 8); });
      break;
  }
  return bytes;
}

// A file may hold more than is needed. `needed`: unknown for BYTES, whose file is taken whole.
Result<std::string> FileBytes(const Wanted& wanted, std::optional<size_t> needed) {
  const std::string& file = wanted.input.input_data_file();
  const std::string dir = wanted.model_dir + "/warmup";
  PT_ASSIGN_OR_RETURN(const std::string path,
                      PathInModel(dir, file,
                                  "warmup data file path '" + file + "' for input '" + wanted.name +
                                      "' is outside model directory"));
  PT_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(path, static_cast<size_t>(kMaxBytes)));
  if (!needed) return bytes;
  if (bytes.size() < *needed) {
    return Refuse(wanted, "warmup setting expects " + std::to_string(*needed) +
                              " bytes, but the data provided from " + file + " only has " +
                              std::to_string(bytes.size()) + " bytes");
  }
  bytes.resize(*needed);
  return bytes;
}

Result<std::string> BytesOf(const Wanted& wanted, DataType type, const Shape& shape) {
  const std::optional<int64_t> count = shape.ElementCount();
  const auto size =
      static_cast<int64_t>(type == DataType::kBytes ? kLengthBytes : DataTypeSize(type));
  if (!count || *count > kMaxBytes / size) {
    return Refuse(wanted, "expected at most " + std::to_string(kMaxBytes) + " bytes for input '" +
                              wanted.name + "', got shape " + shape.ToString());
  }
  const auto needed = static_cast<size_t>(*count * size);
  switch (wanted.input.input_data_type_case()) {
    case Input::kZeroData:
      return std::string(needed, '\0');  // for BYTES: as many empty elements
    case Input::kRandomData:
      return type == DataType::kBytes ? std::string(needed, '\0') : RandomBytes(type, needed);
    case Input::kInputDataFile:
      return FileBytes(wanted,
                       type == DataType::kBytes ? std::nullopt : std::optional<size_t>(needed));
    default:
      return Refuse(
          wanted, "warmup setting expects input '" + wanted.name + "' to have input_data_type set");
  }
}

}  // namespace

Result<NamedInputs> MakeWarmUpInputs(const inference::ModelWarmup& sample,
                                     const std::string& model_dir, int64_t batch) {
  NamedInputs inputs;
  for (const auto& [name, input] : sample.inputs()) {
    const Wanted wanted{sample.name(), name, input, model_dir, batch};
    NamedInput& made = inputs.emplace_back();
    made.name = name;
    made.type = DataTypeOf(input.data_type());
    made.type_name = DataTypeName(made.type);
    if (made.type == DataType::kInvalid) {
      return Refuse(wanted, "input '" + name + "' must specify 'data_type'");
    }
    PT_ASSIGN_OR_RETURN(made.shape, ShapeOf(wanted));
    PT_ASSIGN_OR_RETURN(std::string bytes, BytesOf(wanted, made.type, made.shape));
    made.data = Slice::OfString(std::move(bytes));
  }
  return inputs;
}

}  // namespace pt::repo
