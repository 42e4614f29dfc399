// JsonValue: a small tree of one JSON text, to look into the head of an HTTP answer. Not on the
// hot path: only answers that differ from the last right one are parsed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pt::load {

struct JsonValue {
  enum class Kind { kNull, kScalar, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  // kScalar: as written; kString: without quotes, escapes left as they are
  std::vector<std::pair<std::string, JsonValue>> members;  // kObject
  std::vector<JsonValue> items;                            // kArray

  // The member of that name, or a null value.
  const JsonValue& At(std::string_view name) const;
};

// Nothing where the text is not one JSON value.
std::optional<JsonValue> ParseJson(std::string_view text);

}  // namespace pt::load
