// YAML with the fields of inference.ModelConfig -> the JSON text of the same document. The schema
// tells what a plain scalar means, so `name: 1` is a text and `count: 1` is a number. Anchors, tags
// and several documents are refused: no configuration needs them, and aliases can blow up memory.
//
// Thread rule: pure.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::repo {

// Errors: InvalidArgument "line L, column C: ...".
Result<std::string> YamlToJson(std::string_view yaml);

}  // namespace pt::repo
