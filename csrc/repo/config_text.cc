#include "repo/config_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <vector>

#include "repo/config_yaml.h"
#include "repo/nearest_name.h"
#include "wire/json_reader.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::Message;

// Of JSON; the schema itself nests less than ten deep.
constexpr int kMaxJsonDepth = 32;

// Keeps the first error; the later ones are mostly its consequences.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (!message_.empty()) return;
    message_ = message;
    place_ = line < 0 ? ""
                      : "line " + std::to_string(line + 1) + ", column " +
                            std::to_string(column + 1) + ": ";
  }

  const std::string& place() const { return place_; }
  const std::string& message() const { return message_; }

 private:
  std::string place_;
  std::string message_;
};

// The text between `before` and the next quotation mark.
std::string_view QuotedAfter(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find('"'));
}

void AppendEnumNames(const Descriptor* type, std::vector<std::string>* names) {
  for (int i = 0; i < type->enum_type_count(); ++i) {
    for (int j = 0; j < type->enum_type(i)->value_count(); ++j) {
      names->push_back(type->enum_type(i)->value(j)->name());
    }
  }
  for (int i = 0; i < type->nested_type_count(); ++i) AppendEnumNames(type->nested_type(i), names);
}

std::vector<std::string> AllEnumNames(const FileDescriptor* file) {
  std::vector<std::string> names;
  for (int i = 0; i < file->enum_type_count(); ++i) {
    for (int j = 0; j < file->enum_type(i)->value_count(); ++j) {
      names.push_back(file->enum_type(i)->value(j)->name());
    }
  }
  for (int i = 0; i < file->message_type_count(); ++i) {
    AppendEnumNames(file->message_type(i), &names);
  }
  return names;
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = NearestName(name, known);
  return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

// The mend for the two faults that are typing errors most of the time; empty for others.
std::string MendOf(const std::string& message) {
  const FileDescriptor* file = inference::ModelConfig::descriptor()->file();
  const std::string_view field = QuotedAfter(message, "has no field named \"");
  if (!field.empty()) {
    const std::string type(QuotedAfter(message, "Message type \""));
    const Descriptor* descriptor = file->pool()->FindMessageTypeByName(type);
    std::vector<std::string> names;
    for (int i = 0; descriptor != nullptr && i < descriptor->field_count(); ++i) {
      names.push_back(descriptor->field(i)->name());
    }
    return DidYouMean(field, names);
  }
  const std::string_view value = QuotedAfter(message, "Unknown enumeration value of \"");
  return value.empty() ? "" : DidYouMean(value, AllEnumNames(file));
}

// The schema bounds the depth: it does not contain itself, and unknown fields are refused.
Status ParseText(std::string_view text, const std::string& path, Message* config) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  if (parser.Parse(&stream, config)) return {};
  return Internal("failed to read text proto from " + path + ": " + error.place() +
                  error.message() + MendOf(error.message()));
}

// Our reader first: it bounds the depth and names the place of a fault in the syntax.
Status ParseJson(std::string_view json, Message* config) {
  wire::JsonDocument document(kMaxJsonDepth);
  PT_RETURN_IF_ERROR(document.Parse(json));
  if (!document.root().is_object()) {
    return InvalidArgument("expected a JSON object with the fields of a model configuration");
  }
  google::protobuf::util::JsonParseOptions options;
  options.case_insensitive_enum_parsing = true;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), config, options);
  if (status.ok()) return {};
  return InvalidArgument(std::string(status.message().data(), status.message().size()));
}

bool IsUtf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    const int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (more < 0 || first > 0xF4 || text.size() - at <= static_cast<size_t>(more)) return false;
    uint32_t point = more == 0 ? first : first & (0x3Fu >> more);
    for (int i = 1; i <= more; ++i) {
      const auto next = static_cast<unsigned char>(text[at + static_cast<size_t>(i)]);
      if ((next & 0xC0) != 0x80) return false;
      point = (point << 6) | (next & 0x3Fu);
    }
    const bool is_overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (is_overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return false;
    at += static_cast<size_t>(more) + 1;
  }
  return true;
}

// One value of a field: of a repeated one that at `index`.
struct Value {
  const Message& message;
  const FieldDescriptor* field;
  int index;

  const google::protobuf::Reflection& reflection() const { return *message.GetReflection(); }
  const Message& AsMessage() const {
    return field->is_repeated() ? reflection().GetRepeatedMessage(message, field, index)
                                : reflection().GetMessage(message, field);
  }
  std::string AsText() const {
    return field->is_repeated() ? reflection().GetRepeatedString(message, field, index)
                                : reflection().GetString(message, field);
  }
  int AsEnumNumber() const {
    return field->is_repeated() ? reflection().GetRepeatedEnumValue(message, field, index)
                                : reflection().GetEnumValue(message, field);
  }
  double AsReal() const {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      return field->is_repeated() ? reflection().GetRepeatedFloat(message, field, index)
                                  : reflection().GetFloat(message, field);
    }
    return field->is_repeated() ? reflection().GetRepeatedDouble(message, field, index)
                                : reflection().GetDouble(message, field);
  }
};

Status CheckValues(const Message& message, const std::string& path);

Status CheckValue(const Value& value, const std::string& path) {
  switch (value.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return CheckValues(value.AsMessage(), path);
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = value.AsText();
      if (IsUtf8(text) && text.find('\0') == std::string::npos) return {};
      return InvalidArgument("expected UTF-8 text without zero bytes in '" + path + "'");
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      if (value.field->enum_type()->FindValueByNumber(value.AsEnumNumber()) != nullptr) return {};
      return InvalidArgument("expected a value of " + value.field->enum_type()->name() + " in '" +
                             path + "', got " + std::to_string(value.AsEnumNumber()));
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      if (std::isfinite(value.AsReal())) return {};
      return InvalidArgument("expected a finite number in '" + path + "'");
    default:
      return {};
  }
}

// What the parsers let through and JSON and gRPC clients can't read; a zero byte would end a file
// name early.
Status CheckValues(const Message& message, const std::string& path) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string here = path.empty() ? field->name() : path + "." + field->name();
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) PT_RETURN_IF_ERROR(CheckValue({message, field, i}, here));
  }
  return {};
}

Status CheckSize(std::string_view text) {
  if (text.size() <= kMaxConfigBytes) return {};
  return InvalidArgument("expected at most " + std::to_string(kMaxConfigBytes) +
                         " bytes of configuration, got " + std::to_string(text.size()));
}

Status ParseFile(ConfigFormat format, std::string_view text, const std::string& path,
                 Message* config) {
  PT_RETURN_IF_ERROR(CheckSize(text));
  switch (format) {
    case ConfigFormat::kText:
      return ParseText(text, path, config);
    case ConfigFormat::kJson:
      return ParseJson(text, config);
    case ConfigFormat::kYaml:
      break;
  }
  PT_ASSIGN_OR_RETURN(const std::string json, YamlToJson(text));
  PT_RETURN_IF_ERROR(CheckSize(json));
  return ParseJson(json, config);
}

}  // namespace

Status ParseConfig(ConfigFormat format, std::string_view text, const std::string& path,
                   inference::ModelConfig* config) {
  Status status = ParseFile(format, text, path, config);
  if (status.ok()) status = CheckValues(*config, "");
  if (status.ok() || status.message().find(path) != std::string::npos) return status;
  const std::string_view kind = format == ConfigFormat::kText   ? "text proto"
                                : format == ConfigFormat::kJson ? "JSON"
                                                                : "YAML";
  return Internal("failed to read " + std::string(kind) + " from " + path + ": " +
                  status.message());
}

Status ParseConfigJson(std::string_view json, std::string_view what,
                       inference::ModelConfig* config) {
  Status status = CheckSize(json);
  if (status.ok()) status = ParseJson(json, config);
  if (status.ok()) status = CheckValues(*config, "");
  if (status.ok()) return {};
  return InvalidArgument(std::string(what) + ": " + status.message());
}

}  // namespace pt::repo
