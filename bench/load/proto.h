// Protobuf's wire format, as far as ModelInfer needs it: varints and length-delimited fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pt::load {

void AppendVarint(std::string& out, uint64_t value);
// The tag and length of a length-delimited field; its bytes follow.
void AppendBytesHead(std::string& out, int field, size_t size);
void AppendBytesField(std::string& out, int field, std::string_view bytes);

// Walks over the fields of one message. Views into the given bytes.
class ProtoReader {
 public:
  struct Field {
    int number = 0;
    uint64_t value = 0;      // varint fields
    std::string_view bytes;  // length-delimited fields
  };

  explicit ProtoReader(std::string_view bytes) : bytes_(bytes) {}

  // The next field, or nothing at the end or at a fault (then is_broken()).
  std::optional<Field> Next();
  bool is_broken() const { return is_broken_; }
  // The next bare varint, as in a packed field; nothing at the end or at a fault.
  std::optional<uint64_t> NextVarint();

 private:
  std::string_view bytes_;
  bool is_broken_ = false;
};

}  // namespace pt::load
