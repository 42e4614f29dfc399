#include "wire/proto_reader.h"

namespace pt::wire {
namespace {

bool IsContinuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Length of the well-formed sequence at `p` that starts with a byte >= 0x80; 0: there is none.
size_t SequenceLength(const uint8_t* p, size_t left) {
  const uint8_t lead = p[0];
  if (lead >= 0xc2 && lead <= 0xdf) return left >= 2 && IsContinuation(p[1]) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (left < 3 || !IsContinuation(p[1]) || !IsContinuation(p[2])) return 0;
    if (lead == 0xe0 && p[1] < 0xa0) return 0;  // over-long
    if (lead == 0xed && p[1] > 0x9f) return 0;  // a surrogate
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (left < 4 || !IsContinuation(p[1]) || !IsContinuation(p[2]) || !IsContinuation(p[3])) {
      return 0;
    }
    if (lead == 0xf0 && p[1] < 0x90) return 0;  // over-long
    if (lead == 0xf4 && p[1] > 0x8f) return 0;  // above U+10FFFF
    return 4;
  }
  return 0;
}

}  // namespace

bool IsUtf8(std::string_view bytes) {
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  while (left > 0) {
    // Names are ASCII nearly always: eight bytes a step.
    uint64_t word = 0;
    if (left >= sizeof(word)) {
      std::memcpy(&word, p, sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        p += sizeof(word);
        left -= sizeof(word);
        continue;
      }
    }
    const size_t length = *p < 0x80 ? 1 : SequenceLength(p, left);
    if (length == 0) return false;
    p += length;
    left -= length;
  }
  return true;
}

bool ProtoReader::ReadTag() {
  uint32_t tag = 0;
  for (size_t i = 0; i < kMaxTagBytes && at_ < end_; ++i) {
    const auto byte = static_cast<uint8_t>(*at_++);
    tag |= static_cast<uint32_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      tag_ = tag;
      return true;
    }
  }
  return Fail();
}

bool ProtoReader::ReadLongVarint(uint64_t* value) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxVarintBytes && at_ < end_; ++i) {
    const auto byte = static_cast<uint8_t>(*at_++);
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return Fail();
}

bool ProtoReader::ReadLength(uint32_t* length) {
  uint64_t result = 0;
  for (size_t i = 0; i < kMaxTagBytes && at_ < end_; ++i) {
    const auto byte = static_cast<uint8_t>(*at_++);
    result |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      if (result > kMaxFieldBytes) return Fail();
      *length = static_cast<uint32_t>(result);
      return true;
    }
  }
  return Fail();
}

bool ProtoReader::SkipOne() {
  uint64_t ignored = 0;
  uint32_t ignored32 = 0;
  std::string_view ignored_bytes;
  switch (type()) {
    case WireType::kVarint:
      return ReadVarint(&ignored);
    case WireType::kFixed64:
      return ReadFixed64(&ignored);
    case WireType::kBytes:
      return ReadBytes(&ignored_bytes);
    case WireType::kFixed32:
      return ReadFixed32(&ignored32);
    default:
      return Fail();
  }
}

bool ProtoReader::Skip() {
  if (type() != WireType::kGroupStart) return SkipOne();
  // Groups are gone from the language but not from the encoding; an old client's unknown field may
  // be one. They nest, so their numbers are kept on a stack of the depth that is allowed.
  uint32_t open[kMaxProtoDepth];
  const int limit = kMaxProtoDepth - depth_;
  int count = 0;
  do {
    if (type() == WireType::kGroupStart) {
      if (count == limit) return Fail();
      open[count++] = field();
    } else if (type() == WireType::kGroupEnd) {
      if (open[count - 1] != field()) return Fail();
      --count;
    } else if (!SkipOne()) {
      return false;
    }
    if (count == 0) return true;
    if (!ReadTag()) return false;
    if (field() == 0) return Fail();
  } while (true);
}

}  // namespace pt::wire
