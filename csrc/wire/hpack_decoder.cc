#include "wire/hpack_decoder.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace pt::wire {
namespace {

// Longer blocks of indexed fields are nobody's steady state.
constexpr size_t kMaxRemembered = 64;

std::string_view View(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Whether decoding leaves the dynamic table as it is: indexed fields of one byte each (6.1).
bool IsIndexedOnly(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char byte) {
    const auto value = static_cast<uint8_t>(byte);
    return value > 0x80 && value < 0xff;
  });
}

}  // namespace

HpackDecoder::HpackDecoder(size_t max_size)
    : slots_{Slot{{}, Http2HeadBuilder(max_size)}, Slot{{}, Http2HeadBuilder(max_size)},
             Slot{{}, Http2HeadBuilder(max_size)}, Slot{{}, Http2HeadBuilder(max_size)}} {}

std::unique_ptr<HpackDecoder> HpackDecoder::Create(size_t max_size) {
  std::unique_ptr<HpackDecoder> decoder(new HpackDecoder(max_size));
  if (nghttp2_hd_inflate_new(&decoder->inflater_) != 0) return nullptr;
  return decoder;
}

HpackDecoder::~HpackDecoder() { nghttp2_hd_inflate_del(inflater_); }

Http2Fault HpackDecoder::Read(std::string_view piece, bool is_first, bool is_last) {
  const bool is_whole = is_first && is_last;
  if (is_whole && Recall(piece)) return {};
  if (is_first) {
    // A head that is not worth remembering leaves the others alone, and their memory small.
    if (!slots_[current_].block.empty()) current_ = (current_ + 1) % kSlots;
    Slot& slot = slots_[current_];
    slot.block.clear();
    slot.head.Begin();
  }
  const bool leaves_table = IsIndexedOnly(piece);
  if (!leaves_table) ForgetAll();
  const Http2Fault fault = Inflate(piece, is_last);
  if (!fault.ok() || !is_last) return fault;
  Slot& slot = slots_[current_];
  slot.is_malformed = slot.head.Finish() != Http2HeadBuilder::Verdict::kFine;
  if (is_whole && leaves_table && piece.size() <= kMaxRemembered) slot.block = piece;
  return {};
}

bool HpackDecoder::Recall(std::string_view block) {
  if (block.empty()) return false;
  for (size_t i = 0; i < kSlots; ++i) {
    const size_t slot = (current_ + i) % kSlots;
    if (slots_[slot].block != block) continue;
    current_ = slot;
    return true;
  }
  return false;
}

void HpackDecoder::ForgetAll() {
  for (Slot& slot : slots_) slot.block.clear();
}

Http2Fault HpackDecoder::Inflate(std::string_view piece, bool is_last) {
  const auto* at = reinterpret_cast<const uint8_t*>(piece.data());
  size_t left = piece.size();
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t used =
        nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, is_last ? 1 : 0);
    if (used < 0) return {Http2Error::kCompression, "a header block that is no HPACK"};
    at += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      const auto verdict = slots_[current_].head.Add(View(field.name, field.namelen),
                                                     View(field.value, field.valuelen));
      if (verdict == Http2HeadBuilder::Verdict::kFlood) {
        return {Http2Error::kEnhanceYourCalm, "a head far over the limit"};
      }
    } else if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_);
      return {};
    } else if (left == 0) {
      return {};  // more of the block must come
    }
  }
}

}  // namespace pt::wire
