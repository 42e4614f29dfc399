#include "load/json.h"

namespace pt::load {
namespace {

constexpr int kMaxDepth = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  bool ParseWhole(JsonValue& value) {
    if (!ParseValue(value, 0)) return false;
    SkipSpace();
    return rest_.empty();
  }

 private:
  void SkipSpace() {
    size_t skip = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(skip == std::string_view::npos ? rest_.size() : skip);
  }

  bool Take(char wanted) {
    SkipSpace();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool ParseString(std::string& text) {
    if (!Take('"')) return false;
    for (size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == '"') {
        text.assign(rest_.substr(0, i));
        rest_.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }

  bool ParseObject(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::kObject;
    if (Take('}')) return true;
    do {
      auto& member = value.members.emplace_back();
      if (!ParseString(member.first) || !Take(':')) return false;
      if (!ParseValue(member.second, depth + 1)) return false;
    } while (Take(','));
    return Take('}');
  }

  bool ParseArray(JsonValue& value, int depth) {
    value.kind = JsonValue::Kind::kArray;
    if (Take(']')) return true;
    do {
      if (!ParseValue(value.items.emplace_back(), depth + 1)) return false;
    } while (Take(','));
    return Take(']');
  }

  bool ParseValue(JsonValue& value, int depth) {
    if (depth > kMaxDepth) return false;
    if (Take('{')) return ParseObject(value, depth);
    if (Take('[')) return ParseArray(value, depth);
    if (!rest_.empty() && rest_.front() == '"') {
      value.kind = JsonValue::Kind::kString;
      return ParseString(value.text);
    }
    size_t size = rest_.find_first_of(",]} \t\r\n");
    value.text.assign(rest_.substr(0, size));
    rest_.remove_prefix(value.text.size());
    if (value.text != "null") value.kind = JsonValue::Kind::kScalar;
    return !value.text.empty();
  }

  std::string_view rest_;
};

}  // namespace

const JsonValue& JsonValue::At(std::string_view name) const {
  static const JsonValue null;
  for (const auto& [key, value] : members) {
    if (key == name) return value;
  }
  return null;
}

std::optional<JsonValue> ParseJson(std::string_view text) {
  JsonValue value;
  if (!Parser(text).ParseWhole(value)) return std::nullopt;
  return value;
}

}  // namespace pt::load
