// HpackEncoder: header blocks of what a server answers (RFC 7541). Fields that every answer has go
// into the dynamic table once and are one byte from then on; all others are spelled out, without
// Huffman coding: the bytes are few, and the time to pack them is not.
//
// Thread rule: belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/http2_head.h"

namespace pt::wire {

class HpackEncoder {
 public:
  // The client's SETTINGS_HEADER_TABLE_SIZE.
  void SetTableLimit(uint32_t limit);

  // Appends the block of `fields`, whose bytes live as long as the encoder. Blocks must be sent in
  // the order in which they were encoded.
  void EncodeStatic(std::span<const Http2Field> fields, std::string* block);
  // Appends fields that leave the table as it is: may be sent at any time. (Call BeginBlock before
  // the first one of a block, when it is sent.)
  static void EncodeOnce(std::span<const Http2Field> fields, std::string* block);
  // What must stand before the fields of the next block that is sent.
  void BeginBlock(std::string* block);

 private:
  void EncodeField(const Http2Field& field, std::string* block);

  std::vector<Http2Field> table_;  // oldest first; nothing is ever evicted
  size_t size_ = 0;                // as RFC 7541 4.1 counts
  uint32_t limit_ = 4096;          // the table's, which both ends begin with
  bool must_tell_limit_ = false;   // the client allowed less than we had
};

}  // namespace pt::wire
