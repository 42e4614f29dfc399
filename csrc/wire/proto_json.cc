#include "wire/proto_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pt::wire {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Room for the text of a small configuration.
constexpr size_t kExpectedJson = 2048;

// One element of a field: the whole of a singular one (index -1), or one of a repeated one.
struct Element {
  const Message& message;
  const FieldDescriptor* field;
  int index;

  const Reflection& reflection() const { return *message.GetReflection(); }
  bool is_repeated() const { return index >= 0; }
};

std::string TextOf(const Element& e) {
  return e.is_repeated() ? e.reflection().GetRepeatedString(e.message, e.field, e.index)
                         : e.reflection().GetString(e.message, e.field);
}

const EnumValueDescriptor* EnumOf(const Element& e) {
  return e.is_repeated() ? e.reflection().GetRepeatedEnum(e.message, e.field, e.index)
                         : e.reflection().GetEnum(e.message, e.field);
}

const Message& MessageOf(const Element& e) {
  return e.is_repeated() ? e.reflection().GetRepeatedMessage(e.message, e.field, e.index)
                         : e.reflection().GetMessage(e.message, e.field);
}

int64_t SignedOf(const Element& e) {
  const Reflection& r = e.reflection();
  if (e.field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    return e.is_repeated() ? r.GetRepeatedInt32(e.message, e.field, e.index)
                           : r.GetInt32(e.message, e.field);
  }
  return e.is_repeated() ? r.GetRepeatedInt64(e.message, e.field, e.index)
                         : r.GetInt64(e.message, e.field);
}

uint64_t UnsignedOf(const Element& e) {
  const Reflection& r = e.reflection();
  if (e.field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    return e.is_repeated() ? r.GetRepeatedUInt32(e.message, e.field, e.index)
                           : r.GetUInt32(e.message, e.field);
  }
  return e.is_repeated() ? r.GetRepeatedUInt64(e.message, e.field, e.index)
                         : r.GetUInt64(e.message, e.field);
}

double RealOf(const Element& e) {
  const Reflection& r = e.reflection();
  if (e.field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
    return e.is_repeated() ? r.GetRepeatedFloat(e.message, e.field, e.index)
                           : r.GetFloat(e.message, e.field);
  }
  return e.is_repeated() ? r.GetRepeatedDouble(e.message, e.field, e.index)
                         : r.GetDouble(e.message, e.field);
}

bool FlagOf(const Element& e) {
  return e.is_repeated() ? e.reflection().GetRepeatedBool(e.message, e.field, e.index)
                         : e.reflection().GetBool(e.message, e.field);
}

void WriteElement(const Element& e, JsonWriter* writer) {
  switch (e.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      writer->Integer(SignedOf(e));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      writer->Integer(UnsignedOf(e));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      writer->Double(RealOf(e));
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      writer->Bool(FlagOf(e));
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      writer->String(EnumOf(e)->name());
      return;
    case FieldDescriptor::CPPTYPE_STRING:
      writer->String(TextOf(e));
      return;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      WriteProtoJson(MessageOf(e), writer);
      return;
  }
}

// A map key is always a string in JSON.
std::string KeyText(const Message& entry) {
  const Element key{entry, entry.GetDescriptor()->map_key(), -1};
  switch (key.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return TextOf(key);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return std::to_string(UnsignedOf(key));
    default:
      return std::to_string(SignedOf(key));
  }
}

// Sorted by key, so that the same configuration always has the same text.
void WriteMap(const Message& message, const FieldDescriptor* field, JsonWriter* writer) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<std::pair<std::string, const Message*>> entries;
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, field, i);
    entries.emplace_back(KeyText(entry), &entry);
  }
  std::sort(entries.begin(), entries.end());
  writer->Raw("{");
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) writer->Raw(",");
    writer->String(entries[i].first).Raw(":");
    const Message& entry = *entries[i].second;
    WriteElement({entry, entry.GetDescriptor()->map_value(), -1}, writer);
  }
  writer->Raw("}");
}

void WriteList(const Message& message, const FieldDescriptor* field, JsonWriter* writer) {
  writer->Raw("[");
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field); ++i) {
    if (i > 0) writer->Raw(",");
    WriteElement({message, field, i}, writer);
  }
  writer->Raw("]");
}

// Lists, maps and plain scalars always are; messages and members of a oneof when they are set.
bool IsWritten(const Message& message, const FieldDescriptor* field) {
  return !field->has_presence() || message.GetReflection()->HasField(message, field);
}

}  // namespace

void WriteProtoJson(const Message& message, JsonWriter* writer) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  bool is_first = true;
  writer->Raw("{");
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!field->is_repeated() && !IsWritten(message, field)) continue;
    if (!is_first) writer->Raw(",");
    is_first = false;
    writer->Key(field->name());
    if (field->is_map()) {
      WriteMap(message, field, writer);
    } else if (field->is_repeated()) {
      WriteList(message, field, writer);
    } else {
      WriteElement({message, field, -1}, writer);
    }
  }
  writer->Raw("}");
}

std::string ProtoJson(const Message& message) {
  JsonWriter writer(nullptr, kExpectedJson);
  WriteProtoJson(message, &writer);
  return std::string(writer.view());
}

}  // namespace pt::wire
