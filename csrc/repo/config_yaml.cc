#include "repo/config_yaml.h"

#include <google/protobuf/descriptor.h>
#include <yaml.h>

#include <charconv>
#include <set>
#include <vector>

#include "repo/nearest_name.h"
#include "wire/json_writer.h"
#include "wire/proto/model_config.pb.h"

namespace pt::repo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// An open mapping or sequence.
struct Frame {
  enum class Kind { kMessage, kMap, kList };
  Kind kind = Kind::kMessage;
  const Descriptor* type = nullptr;        // kMessage
  const FieldDescriptor* field = nullptr;  // of the next value; kMessage: null while a key is due
  bool is_key_due = true;                  // kMessage, kMap
  bool is_first = true;
  std::set<std::string, std::less<>> keys;
};

class YamlEvent {
 public:
  explicit YamlEvent(yaml_parser_t* parser) : is_read_(yaml_parser_parse(parser, &event_) != 0) {}
  ~YamlEvent() {
    if (is_read_) yaml_event_delete(&event_);
  }
  YamlEvent(const YamlEvent&) = delete;
  YamlEvent& operator=(const YamlEvent&) = delete;

  bool is_read() const { return is_read_; }
  const yaml_event_t& get() const { return event_; }
  std::string_view text() const {
    const auto& scalar = event_.data.scalar;
    return {reinterpret_cast<const char*>(scalar.value), scalar.length};
  }

 private:
  yaml_event_t event_{};
  const bool is_read_;
};

Status At(const yaml_mark_t& mark, std::string text) {
  return InvalidArgument("line " + std::to_string(mark.line + 1) + ", column " +
                         std::to_string(mark.column + 1) + ": " + std::move(text));
}

bool IsJsonNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const char last = text.empty() ? '.' : text.back();
  const bool has_leading_zero =
      text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  return error == std::errc() && end == text.data() + text.size() && last >= '0' && last <= '9' &&
         !has_leading_zero && text[0] != '.';
}

bool IsNull(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

class Converter {
 public:
  Status Take(const YamlEvent& event);
  bool is_complete() const { return is_complete_; }
  std::string text() const { return std::string(json_.view()); }

 private:
  Status Refuse(const YamlEvent& event, std::string text) const {
    return At(event.get().start_mark, std::move(text));
  }
  Status Open(const YamlEvent& event, bool is_list);
  void Close(std::string_view bracket);
  Status TakeScalar(const YamlEvent& event);
  Status TakeKey(const YamlEvent& event);
  Status TakeValue(const YamlEvent& event);
  Status WritePlain(const YamlEvent& event, const FieldDescriptor& field);
  void Separate();
  // A value ended: the next thing in its mapping is a key.
  void EndValue() {
    if (!frames_.empty()) frames_.back().is_key_due = true;
  }

  wire::JsonWriter json_{nullptr, 1024};
  std::vector<Frame> frames_;
  bool has_root_ = false;
  bool is_complete_ = false;
};

Status Converter::Take(const YamlEvent& event) {
  switch (event.get().type) {
    case YAML_DOCUMENT_START_EVENT:
      if (has_root_) return Refuse(event, "expected one YAML document, got a second one");
      return {};
    case YAML_ALIAS_EVENT:
      return Refuse(event, "expected a value, got an alias; aliases are not supported, repeat it");
    case YAML_SCALAR_EVENT:
      return TakeScalar(event);
    case YAML_SEQUENCE_START_EVENT:
      return Open(event, true);
    case YAML_MAPPING_START_EVENT:
      return Open(event, false);
    case YAML_SEQUENCE_END_EVENT:
      Close("]");
      return {};
    case YAML_MAPPING_END_EVENT:
      Close("}");
      return {};
    case YAML_STREAM_END_EVENT:
      is_complete_ = true;
      return {};
    default:
      return {};
  }
}

void Converter::Separate() {
  Frame& frame = frames_.back();
  if (!frame.is_first) json_.Raw(",");
  frame.is_first = false;
}

// The schema bounds the depth: it does not contain itself, and nothing else is let in.
Status Converter::Open(const YamlEvent& event, bool is_list) {
  Frame next;
  if (frames_.empty()) {
    if (is_list) return Refuse(event, "expected the fields of a configuration, got a list");
    next.type = inference::ModelConfig::descriptor();
    has_root_ = true;
  } else {
    const Frame& outer = frames_.back();
    if (outer.kind != Frame::Kind::kList && outer.is_key_due) {
      return Refuse(event, "expected a field name");
    }
    const FieldDescriptor* field = outer.field;
    const std::string name = "'" + field->name() + "'";
    if (is_list) {
      const bool takes_list =
          outer.kind == Frame::Kind::kMessage && field->is_repeated() && !field->is_map();
      if (!takes_list) return Refuse(event, name + " takes no list");
      next.kind = Frame::Kind::kList;
      next.field = field;
    } else if (field->is_map() && outer.kind == Frame::Kind::kMessage) {
      next.kind = Frame::Kind::kMap;
      next.field = field->message_type()->map_value();
    } else if (field->message_type() != nullptr) {
      next.type = field->message_type();
    } else {
      return Refuse(event, name + " takes a single value, got a mapping");
    }
    if (outer.kind == Frame::Kind::kList) Separate();
  }
  json_.Raw(is_list ? "[" : "{");
  frames_.push_back(std::move(next));
  return {};
}

void Converter::Close(std::string_view bracket) {
  json_.Raw(bracket);
  frames_.pop_back();
  EndValue();
}

Status Converter::TakeScalar(const YamlEvent& event) {
  if (frames_.empty()) {
    // An empty document is an empty configuration.
    if (!IsNull(event.text())) return Refuse(event, "expected the fields of a configuration");
    has_root_ = true;
    json_.Raw("{}");
    return {};
  }
  const Frame& frame = frames_.back();
  if (frame.kind != Frame::Kind::kList && frame.is_key_due) return TakeKey(event);
  return TakeValue(event);
}

Status Converter::TakeKey(const YamlEvent& event) {
  Frame& frame = frames_.back();
  const std::string key(event.text());
  if (!frame.keys.insert(key).second) return Refuse(event, "'" + key + "' is given twice");
  if (frame.kind == Frame::Kind::kMessage) {
    frame.field = frame.type->FindFieldByName(key);
    if (frame.field == nullptr) {
      std::vector<std::string> names;
      names.reserve(static_cast<size_t>(frame.type->field_count()));
      for (int i = 0; i < frame.type->field_count(); ++i) {
        names.push_back(frame.type->field(i)->name());
      }
      const std::string nearest = NearestName(key, names);
      return Refuse(event, "no field '" + key + "' in " + frame.type->name() +
                               (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"));
    }
  }
  Separate();
  json_.String(key).Raw(":");
  frame.is_key_due = false;
  return {};
}

Status Converter::TakeValue(const YamlEvent& event) {
  Frame& frame = frames_.back();
  if (frame.kind == Frame::Kind::kList) Separate();
  const FieldDescriptor& field = *frame.field;
  const bool is_plain = event.get().data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  if (is_plain && IsNull(event.text()) && frame.kind == Frame::Kind::kMessage) {
    json_.Raw("null");
  } else if (field.message_type() != nullptr) {
    return Refuse(event, "'" + field.name() + "' takes fields or a list, got a single value");
  } else {
    PT_RETURN_IF_ERROR(WritePlain(event, field));
  }
  EndValue();
  return {};
}

Status Converter::WritePlain(const YamlEvent& event, const FieldDescriptor& field) {
  const std::string_view text = event.text();
  const std::string got = "'" + field.name() + "' expects %, got '" + std::string(text) + "'";
  const auto refuse = [&](std::string_view expected) {
    std::string message = got;
    message.replace(message.find('%'), 1, expected);
    return Refuse(event, std::move(message));
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_ENUM:
      json_.String(text);
      return {};
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text == "true" || text == "True" || text == "TRUE") {
        json_.Raw("true");
        return {};
      }
      if (text != "false" && text != "False" && text != "FALSE") return refuse("true or false");
      json_.Raw("false");
      return {};
    default:
      if (!IsJsonNumber(text)) return refuse("a number");
      json_.Raw(text);
      return {};
  }
}

Status ParserError(const yaml_parser_t& parser) {
  const char* problem = parser.problem == nullptr ? "out of memory" : parser.problem;
  const char* context = parser.context == nullptr ? "" : parser.context;
  return At(parser.problem_mark, std::string(context) + (*context == 0 ? "" : ", ") + problem);
}

// Owns the parser.
struct Parser {
  Parser() : is_ready(yaml_parser_initialize(&get) != 0) {}
  ~Parser() {
    if (is_ready) yaml_parser_delete(&get);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  yaml_parser_t get{};
  const bool is_ready;
};

}  // namespace

Result<std::string> YamlToJson(std::string_view yaml) {
  Parser parser;
  if (!parser.is_ready) return Unavailable("no memory to read YAML");
  yaml_parser_set_input_string(&parser.get, reinterpret_cast<const unsigned char*>(yaml.data()),
                               yaml.size());
  Converter converter;
  while (!converter.is_complete()) {
    const YamlEvent event(&parser.get);
    if (!event.is_read()) return ParserError(parser.get);
    PT_RETURN_IF_ERROR(converter.Take(event));
  }
  const std::string json = converter.text();
  return json.empty() ? std::string("{}") : json;
}

}  // namespace pt::repo
