#include "wire/infer_assembler.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/copy_count.h"
#include "wire/proto_reader.h"

namespace pt::wire {
namespace {

constexpr uint32_t kRawInputTag = 7 << 3 | static_cast<uint32_t>(WireType::kBytes);
constexpr size_t kFirstHeadBytes = 4096;

}  // namespace

Slice InferRequestBytes::RawInput(const InferRequestView& view, size_t index) const {
  if (index < placed.size() && placed[index].owner) return placed[index];
  const std::string_view bytes = view.raw_inputs[index];
  return {head.owner, bytes.data(), bytes.size()};
}

void InferRequestAssembler::Append(std::string_view part) {
  if (part.size() > left_) return Fail(UnparsableRequest());
  left_ -= part.size();
  while (!part.empty() && step_ != Step::kFailed) {
    if (step_ == Step::kCopy || step_ == Step::kPlace) {
      part.remove_prefix(TakeBytes(part));
    } else {
      // What the field needs that begins here is bounded by all that is still to come.
      left_ += part.size() - 1;
      TakeByte(part.front());
      part.remove_prefix(1);
      left_ -= part.size();
    }
  }
}

void InferRequestAssembler::TakeByte(char byte) {
  const auto bits = static_cast<uint8_t>(byte);
  const size_t limit = step_ == Step::kVarint ? kMaxVarintBytes : kMaxTagBytes;
  varint_ |= static_cast<uint64_t>(bits & 0x7f) << (7 * varint_bytes_);
  ++varint_bytes_;
  // The length of a raw input is written when it is known where its bytes go.
  const bool is_held = step_ == Step::kLength && tag_ == kRawInputTag && group_depth_ == 0;
  if (!is_held) AppendHead({&byte, 1});
  if (bits >= 0x80) {
    if (varint_bytes_ == limit) Fail(UnparsableRequest());
    return;
  }
  varint_bytes_ = 0;
  if (step_ == Step::kFailed) return;
  if (step_ == Step::kTag) {
    EndTag();
  } else if (step_ == Step::kLength) {
    EndLength();
  } else {
    step_ = Step::kTag;
  }
  varint_ = 0;
}

void InferRequestAssembler::EndTag() {
  tag_ = static_cast<uint32_t>(varint_);
  switch (static_cast<WireType>(tag_ & 7)) {
    case WireType::kVarint:
      step_ = Step::kVarint;
      return;
    case WireType::kBytes:
      step_ = Step::kLength;
      return;
    case WireType::kFixed32:
      step_ = Step::kCopy;
      field_left_ = 4;
      return;
    case WireType::kFixed64:
      step_ = Step::kCopy;
      field_left_ = 8;
      return;
    case WireType::kGroupStart:
      if (++group_depth_ > kMaxProtoDepth) Fail(UnparsableRequest());
      return;
    case WireType::kGroupEnd:
      if (--group_depth_ < 0) Fail(UnparsableRequest());
      return;
    default:
      Fail(UnparsableRequest());
  }
}

void InferRequestAssembler::EndLength() {
  const uint64_t length = varint_;
  if (length > left_ || length > kMaxFieldBytes) return Fail(UnparsableRequest());
  step_ = length == 0 ? Step::kTag : Step::kCopy;
  field_left_ = length;
  if (tag_ != kRawInputTag || group_depth_ != 0) {
    if (!ReserveHead(length)) Fail(Unavailable("no memory for the request message"));
    return;
  }
  const size_t index = raw_count_++;
  if (index >= kMaxRequestTensors) return Fail(UnparsableRequest());
  if (length < kPlaceBytes) {
    const bool is_long = length >= 0x80;
    const char bytes[2] = {static_cast<char>(is_long ? length | 0x80 : length),
                           static_cast<char>(length >> 7)};
    static_assert(kPlaceBytes <= 1 << 14, "the length fits two bytes");
    AppendHead({bytes, is_long ? size_t{2} : size_t{1}});
    return;
  }
  // In the head stands an empty input, so that the inputs keep their order.
  AppendHead(std::string_view("\0", 1));
  BlockRef block = pool_->Allocate(length);
  if (!block) return Fail(Unavailable("no memory for an input tensor"));
  placed_.resize(index + 1);
  place_ = block->data();
  placed_[index] = Slice(std::move(block), place_, length);
  step_ = Step::kPlace;
}

std::span<char> InferRequestAssembler::place() const {
  if (step_ != Step::kPlace) return {};
  return {place_, static_cast<size_t>(std::min(field_left_, left_))};
}

void InferRequestAssembler::Placed(size_t count) {
  left_ -= count;
  SkipPlace(count);
}

void InferRequestAssembler::SkipPlace(size_t count) {
  place_ += count;
  field_left_ -= count;
  if (field_left_ == 0) step_ = Step::kTag;
}

size_t InferRequestAssembler::TakeBytes(std::string_view part) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(part.size(), field_left_));
  if (step_ == Step::kPlace) {
    std::memcpy(place_, part.data(), taken);
    CountCopy(taken);
    SkipPlace(taken);
    return taken;
  }
  AppendHead(part.substr(0, taken));
  field_left_ -= taken;
  if (field_left_ == 0 && step_ != Step::kFailed) step_ = Step::kTag;
  return taken;
}

void InferRequestAssembler::AppendHead(std::string_view bytes) {
  if (!ReserveHead(bytes.size())) return Fail(Unavailable("no memory for the request message"));
  std::memcpy(head_->data() + head_size_, bytes.data(), bytes.size());
  head_size_ += bytes.size();
}

bool InferRequestAssembler::ReserveHead(size_t bytes) {
  const size_t needed = head_size_ + bytes;
  if (head_ && needed <= head_->capacity()) return true;
  const size_t grown = head_ ? head_->capacity() * 2 : kFirstHeadBytes;
  BlockRef larger = pool_->Allocate(std::max(needed, grown));
  if (!larger) return false;
  if (head_size_ > 0) std::memcpy(larger->data(), head_->data(), head_size_);
  head_ = std::move(larger);
  return true;
}

void InferRequestAssembler::Fail(Status status) {
  if (step_ == Step::kFailed) return;
  step_ = Step::kFailed;
  status_ = std::move(status);
  head_.Reset();
  placed_.clear();
}

Result<InferRequestBytes> InferRequestAssembler::Finish() {
  if (left_ != 0 || step_ != Step::kTag || varint_bytes_ != 0 || group_depth_ != 0) {
    Fail(UnparsableRequest());
  }
  if (!status_.ok()) return status_;
  InferRequestBytes bytes;
  bytes.head = Slice(head_, head_ ? head_->data() : nullptr, head_size_);
  bytes.placed = std::move(placed_);
  return bytes;
}

}  // namespace pt::wire
