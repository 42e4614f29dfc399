// ProtoReader: a cursor over the fields of one protobuf message (protobuf.dev/programming-guides/
// encoding). It accepts and refuses what libprotobuf does, so that both sides of a border agree.
//
// Not a schema: whoever reads knows the fields, and skips those it does not know.
// Thread rule: a value. Owner rule: views point into the bytes that were given.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pt::wire {

static_assert(std::endian::native == std::endian::little, "fixed fields are read in place");

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroupStart = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

inline constexpr size_t kMaxVarintBytes = 10;
inline constexpr size_t kMaxTagBytes = 5;
// Longer fields are refused, as libprotobuf does: it keeps 16 bytes below 2^31 for itself.
inline constexpr uint32_t kMaxFieldBytes = 0x7fffffff - 16;
// How deeply messages and groups may nest.
inline constexpr int kMaxProtoDepth = 100;

// True when the bytes are well-formed UTF-8 (no surrogates, nothing over-long).
bool IsUtf8(std::string_view bytes);

class ProtoReader {
 public:
  // `depth`: how many messages this one lies in.
  explicit ProtoReader(std::string_view bytes, int depth = 0)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), depth_(depth) {}

  // Steps to the next field. False at the end and after a fault: then see `ok`.
  bool Next();
  uint32_t field() const { return tag_ >> 3; }
  WireType type() const { return static_cast<WireType>(tag_ & 7); }
  // The field number and wire type in one comparison.
  bool Is(uint32_t field, WireType type) const {
    return tag_ == (field << 3 | static_cast<uint32_t>(type));
  }
  bool ok() const { return is_ok_; }
  bool at_end() const { return at_ == end_; }
  int depth() const { return depth_; }

  // Reads the value of the field that Next found. Each returns false after a fault.
  // REQUIRES: the field has that wire type (ReadVarint is also used inside packed fields).
  bool ReadVarint(uint64_t* value);
  bool ReadFixed32(uint32_t* value) { return ReadFixed(value); }
  bool ReadFixed64(uint64_t* value) { return ReadFixed(value); }
  bool ReadBytes(std::string_view* value);
  // ReadBytes for `string` fields: refuses what is not UTF-8.
  bool ReadString(std::string_view* value) {
    return ReadBytes(value) && (IsUtf8(*value) || Fail());
  }
  // Passes over the value, whatever it is.
  bool Skip();
  // Marks the message as faulty; returns false.
  bool Fail() {
    is_ok_ = false;
    at_ = end_;
    return false;
  }

 private:
  template <typename T>
  bool ReadFixed(T* value) {
    if (static_cast<size_t>(end_ - at_) < sizeof(T)) return Fail();
    std::memcpy(value, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool ReadTag();
  bool ReadLongVarint(uint64_t* value);
  bool ReadLength(uint32_t* length);
  bool SkipOne();

  const char* at_;
  const char* end_;
  uint32_t tag_ = 0;
  int depth_;
  bool is_ok_ = true;
};

inline bool ProtoReader::ReadVarint(uint64_t* value) {
  if (at_ < end_ && static_cast<uint8_t>(*at_) < 0x80) {
    *value = static_cast<uint8_t>(*at_++);
    return true;
  }
  return ReadLongVarint(value);
}

inline bool ProtoReader::ReadBytes(std::string_view* value) {
  uint32_t length = 0;
  if (!ReadLength(&length)) return false;
  if (length > static_cast<size_t>(end_ - at_)) return Fail();
  *value = {at_, length};
  at_ += length;
  return true;
}

inline bool ProtoReader::Next() {
  if (at_ == end_) return false;
  if (!ReadTag()) return false;
  // Field 0 does not exist, and a group ends only where one began (Skip).
  if (field() == 0 || type() == WireType::kGroupEnd) return Fail();
  return true;
}

}  // namespace pt::wire
