// Content codings (RFC 9110 8.4): gzip and deflate, both ways, over zlib; and the choice of one
// from an Accept-Encoding header. Also what gRPC message compression uses.
//
// Not streaming: whole bodies in, whole bodies out, bounded by a limit.
// Thread rule: pure. Owner rule: results own their bytes.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/block.h"
#include "base/status.h"

namespace pt::wire {

enum class ContentCoding { kIdentity, kGzip, kDeflate };

// "identity", "gzip", "deflate"; static text.
std::string_view ContentCodingName(ContentCoding coding);

// The coding a Content-Encoding header names; empty means identity. Names are case-sensitive, as in
// Triton. Errors: Unsupported for anything else.
Result<ContentCoding> ParseContentCoding(std::string_view name);

// The coding an Accept-Encoding header likes best: the highest q wins, the first of equals. Unknown
// codings, "*", q=0 and an unreadable q are skipped; nothing left means identity.
ContentCoding ChooseContentCoding(std::string_view accept_encoding);

struct DecompressOptions {
  size_t max_size = 0;        // of the result; more is kTooLarge, found while it grows
  size_t align_offset = 0;    // byte of the result that shall lie on a 64-byte boundary
  BlockPool* pool = nullptr;  // null: from the heap
};

// Unpacks a gzip or zlib stream, whichever it is. Several gzip members are one result (RFC
// 1952 2.2). Errors: InvalidArgument when `bytes` is empty, damaged, cut short, or followed by
// something else; TooLarge; Unavailable without memory.
Result<Slice> Decompress(std::string_view bytes, const DecompressOptions& options);

// Packs the pieces as one stream. REQUIRES: coding != kIdentity. Errors: Unavailable without
// memory.
Result<Slice> Compress(const SliceList& pieces, ContentCoding coding, BlockPool* pool);

}  // namespace pt::wire
