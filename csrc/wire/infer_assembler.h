// InferRequestAssembler: takes a large ModelInferRequest in parts, as they arrive, and puts the
// bytes of each large tensor straight into an aligned block of its own. What is left, small, is
// parsed at the end by ParseInferRequest.
//
// Thread rule: belongs to one loop. Owner rule: the blocks belong to the slices it hands out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "base/status.h"
#include "wire/infer_proto.h"

namespace pt::wire {

// The bytes of one request: the message itself, or the parts it was taken apart into.
struct InferRequestBytes {
  Slice head;                 // what is parsed
  std::vector<Slice> placed;  // by raw input index; no owner: the input lies in the head

  // The tensor of raw input `index` of the view that was parsed from `head`.
  Slice RawInput(const InferRequestView& view, size_t index) const;
};

class InferRequestAssembler {
 public:
  // raw_input_contents of this size and more get a block of their own.
  static constexpr uint32_t kPlaceBytes = 4096;

  // `size`: the whole message, as announced; no field may be longer than what is left of it.
  InferRequestAssembler(uint32_t size, BlockPool* pool) : left_(size), pool_(pool) {}

  // Takes the next bytes. After a fault they are ignored; Finish tells.
  void Append(std::string_view part);
  // Where the next bytes belong, if they are a large tensor's: write some of them there instead of
  // appending them, then say how many.
  std::span<char> place() const;
  // REQUIRES: count <= place().size().
  void Placed(size_t count);
  // Call once, after the last part. Errors: Internal when the message is malformed or shorter than
  // announced (more may show when the head is parsed), Unavailable when there was no memory.
  Result<InferRequestBytes> Finish();

 private:
  enum class Step { kTag, kVarint, kLength, kCopy, kPlace, kFailed };

  void TakeByte(char byte);
  void EndTag();
  void EndLength();
  size_t TakeBytes(std::string_view part);
  void SkipPlace(size_t count);
  void AppendHead(std::string_view bytes);
  bool ReserveHead(size_t bytes);
  void Fail(Status status);

  Step step_ = Step::kTag;
  uint64_t left_;            // of the announced size
  uint64_t varint_ = 0;      // the varint being read
  size_t varint_bytes_ = 0;  // of it, so far
  uint64_t field_left_ = 0;  // kCopy, kPlace: bytes until the field ends
  uint32_t tag_ = 0;
  int group_depth_ = 0;
  size_t raw_count_ = 0;
  char* place_ = nullptr;
  BlockRef head_;
  size_t head_size_ = 0;
  std::vector<Slice> placed_;
  Status status_;
  BlockPool* const pool_;
};

}  // namespace pt::wire
