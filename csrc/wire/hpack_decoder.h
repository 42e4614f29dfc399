// HpackDecoder: the header blocks of one connection, decoded (RFC 7541). libnghttp2 does it, and is
// spared it where a client sends the block of an earlier request again: a block of indexed fields
// only means the same as before as long as the dynamic table is the same.
//
// Thread rule: belongs to one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "wire/http2_frame.h"
#include "wire/http2_head.h"

struct nghttp2_hd_inflater;

namespace pt::wire {

class HpackDecoder {
 public:
  // `max_size`: see Http2HeadBuilder. Null: no memory.
  static std::unique_ptr<HpackDecoder> Create(size_t max_size);
  ~HpackDecoder();
  HpackDecoder(const HpackDecoder&) = delete;
  HpackDecoder& operator=(const HpackDecoder&) = delete;

  // The next piece of a block; blocks come one after the other. A fault: the connection can't be
  // read on.
  Http2Fault Read(std::string_view piece, bool is_first, bool is_last);

  // The head that the block of the last Read was, once it was complete; until the next Read.
  const Http2HeadBuilder& head() const { return slots_[current_].head; }
  // It is no request that may be answered. Blocks of trailers, too, are read as if they were heads.
  bool is_malformed() const { return slots_[current_].is_malformed; }

 private:
  // Heads that were decoded lately.
  struct Slot {
    std::string block;  // empty: may not be used again
    Http2HeadBuilder head;
    bool is_malformed = false;
  };
  static constexpr size_t kSlots = 4;

  explicit HpackDecoder(size_t max_size);
  bool Recall(std::string_view block);
  void ForgetAll();
  Http2Fault Inflate(std::string_view piece, bool is_last);

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::array<Slot, kSlots> slots_;
  size_t current_ = 0;  // the slot of the block under way, or of the last one
};

}  // namespace pt::wire
