#include "wire/http2_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace pt::wire {
namespace {

// A stream that is never quite drained drops its written pieces in lots of this size.
constexpr size_t kPiecesKept = 64;

}  // namespace

void Http2Stream::ResetForReuse() {
  id_ = 0;
  is_request_complete_ = is_deferred_ = is_ended_ = are_trailers_static_ = false;
  unsent_ = withheld_ = next_piece_ = piece_offset_ = 0;
  pieces_.clear();
  trailers_ = {};
  previous_ = next_ = nullptr;
}

void Http2Stream::AppendBody(std::string_view lead, Slice bytes) {
  PT_DCHECK(lead.size() <= sizeof(Piece::lead));
  const size_t size = lead.size() + bytes.size;
  if (size == 0) return;
  Piece& piece = pieces_.emplace_back();
  piece.slice = std::move(bytes);
  piece.lead_size = static_cast<uint8_t>(lead.size());
  if (!lead.empty()) std::memcpy(piece.lead, lead.data(), lead.size());
  unsent_ += size;
}

void Http2Stream::WriteBody(size_t count, Http2Output* output) {
  PT_DCHECK(count <= unsent_);
  unsent_ -= count;
  while (count != 0) WritePiece(&pieces_[next_piece_], &count, output);
  DropWritten();
}

void Http2Stream::WritePiece(Piece* piece, size_t* count, Http2Output* output) {
  if (piece_offset_ < piece->lead_size) {
    const size_t part = std::min(piece->lead_size - piece_offset_, *count);
    output->Write(std::string_view(piece->lead + piece_offset_, part));
    piece_offset_ += part;
    *count -= part;
    if (piece_offset_ < piece->lead_size) return;
  }
  const size_t begin = piece_offset_ - piece->lead_size;
  const size_t part = std::min(piece->slice.size - begin, *count);
  *count -= part;
  piece_offset_ += part;
  if (begin + part < piece->slice.size) {
    if (part != 0) output->Write(piece->slice.Sub(begin, part));
    return;
  }
  if (part != 0 && begin == 0) {
    output->Write(std::move(piece->slice));
  } else if (part != 0) {
    output->Write(piece->slice.Sub(begin, part));
  }
  piece->slice = Slice();  // its owner may be waiting for the memory
  ++next_piece_;
  piece_offset_ = 0;
}

void Http2Stream::DropWritten() {
  if (next_piece_ == pieces_.size()) {
    pieces_.clear();
    next_piece_ = 0;
  } else if (next_piece_ >= kPiecesKept && next_piece_ * 2 >= pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(next_piece_));
    next_piece_ = 0;
  }
}

}  // namespace pt::wire
