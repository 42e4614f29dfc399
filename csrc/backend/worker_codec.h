// The messages between the server and a worker process as bytes. Little-endian, unaligned; the same
// formats stand in pytriton/backends/_messages.py and bindings/hot/records.h.
//
// Thread rule: pure values. What is read here was written by a model's process: every count, size
// and number is checked, and nothing is kept that points into the message.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "infer/parameter.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace pt::backend {

class MessageWriter {
 public:
  template <typename T>
  MessageWriter& Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  MessageWriter& Bytes(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  // With its length (u32) in front.
  MessageWriter& Text(std::string_view text) {
    return Put(static_cast<uint32_t>(text.size())).Bytes(text);
  }
  void PutParameters(const Parameters& parameters);

  const std::string& bytes() const { return bytes_; }
  void Clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

// Reads what it is asked for or fails for good; then everything reads as zero or empty.
class MessageReader {
 public:
  explicit MessageReader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Get() {
    T value{};
    const std::string_view bytes = Bytes(sizeof value);
    if (is_ok_) __builtin_memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string_view Bytes(size_t count);
  std::string_view Text() { return Bytes(Get<uint32_t>()); }
  std::string_view Rest() { return Bytes(rest_.size()); }
  Parameters GetParameters(size_t count);

  bool ok() const { return is_ok_; }

 private:
  std::string_view rest_;
  bool is_ok_ = true;
};

// Where the bytes of a tensor are.
enum class Place : uint16_t {
  kInline = 0,    // in the message
  kResponse = 1,  // in a slot of the worker's response memory
  kInput = 2,     // in an input that was lent to the worker; from the server: in the shared pool
};

struct TensorRecord {
  uint16_t index = 0;
  DataType type = DataType::kInvalid;
  Place place = Place::kInline;
  uint32_t number = 0;  // kResponse: the slot; kInput: the loan
  uint64_t offset = 0;
  uint64_t size = 0;
  Shape shape;
  std::string_view bytes;  // kInline: as long as the message
};

void PutTensor(const TensorRecord& tensor, MessageWriter* out);
// Checks data type, rank, and that shape and size agree. Empty: malformed (`in` has failed too, or
// the tensor lies).
std::optional<TensorRecord> GetTensor(MessageReader* in);

// One response of a kResponses message.
struct ResponseRecord {
  uint64_t key = 0;
  bool is_final = false;
  bool is_error = false;
  uint8_t code = 0;  // of TritonError
  std::string_view error;
  Parameters parameters;
  std::vector<TensorRecord> outputs;
};

// Empty: malformed.
std::optional<ResponseRecord> GetResponse(MessageReader* in);

}  // namespace pt::backend
