// Any bytes: both JSON readers must end, stay inside their buffers, and agree on what they accept.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace {

void Visit(pt::wire::JsonValue value, pt::wire::JsonWriter* writer) {
  if (value.is_object()) {
    for (const pt::wire::JsonMember member : value.members()) {
      writer->String(member.key);
      Visit(member.value, writer);
    }
  } else if (value.is_array()) {
    for (const pt::wire::JsonValue element : value.elements()) Visit(element, writer);
  } else if (value.is_string()) {
    writer->String(*value.AsString());
  } else if (const pt::Result<double> number = value.AsDouble(); number.ok()) {
    writer->Double(*number);
  } else if (value.Path().empty()) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  pt::wire::JsonDocument document(100);
  if (!document.Parse(text).ok()) return 0;
  pt::wire::JsonWriter writer(nullptr, 64);
  Visit(document.root(), &writer);
  return 0;
}
