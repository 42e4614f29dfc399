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

void Http2StreamQueue::Push(Http2Stream* stream) {
  PT_DCHECK(stream->queue_ == nullptr);
  stream->queue_ = this;
  stream->queue_previous_ = last_;
  (last_ != nullptr ? last_->queue_next_ : first_) = stream;
  last_ = stream;
}

Http2Stream* Http2StreamQueue::Pop() {
  Http2Stream* const stream = first_;
  Remove(stream);
  return stream;
}

void Http2StreamQueue::Remove(Http2Stream* stream) {
  Http2StreamQueue* const queue = std::exchange(stream->queue_, nullptr);
  if (queue == nullptr) return;
  Http2Stream* const previous = std::exchange(stream->queue_previous_, nullptr);
  Http2Stream* const next = std::exchange(stream->queue_next_, nullptr);
  (previous != nullptr ? previous->queue_next_ : queue->first_) = next;
  (next != nullptr ? next->queue_previous_ : queue->last_) = previous;
}

void Http2StreamQueue::Append(Http2StreamQueue* from) {
  while (!from->empty()) Push(from->Pop());
}

Http2Stream* Http2Streams::Find(uint32_t id) {
  if (latest_ != nullptr && static_cast<uint32_t>(latest_->id_) == id) return latest_;
  for (Http2Stream* stream = BucketOf(static_cast<int32_t>(id)); stream != nullptr;
       stream = stream->same_bucket_) {
    if (static_cast<uint32_t>(stream->id_) == id) return latest_ = stream;
  }
  return nullptr;
}

void Http2Streams::Add(Http2Stream* stream) {
  if (size_ == buckets_.size()) Grow();
  Http2Stream*& bucket = BucketOf(stream->id_);
  stream->same_bucket_ = bucket;
  bucket = stream;
  stream->next_ = first_;
  if (first_ != nullptr) first_->previous_ = stream;
  first_ = latest_ = stream;
  ++size_;
}

void Http2Streams::Remove(Http2Stream* stream) {
  Http2Stream** link = &BucketOf(stream->id_);
  while (*link != stream) link = &(*link)->same_bucket_;
  *link = std::exchange(stream->same_bucket_, nullptr);
  (stream->previous_ != nullptr ? stream->previous_->next_ : first_) = stream->next_;
  if (stream->next_ != nullptr) stream->next_->previous_ = stream->previous_;
  stream->previous_ = stream->next_ = nullptr;
  if (latest_ == stream) latest_ = nullptr;
  --size_;
}

void Http2Streams::Grow() {
  ++bits_;
  buckets_.assign(2 * buckets_.size(), nullptr);
  for (Http2Stream* stream = first_; stream != nullptr; stream = stream->next_) {
    Http2Stream*& bucket = BucketOf(stream->id_);
    stream->same_bucket_ = bucket;
    bucket = stream;
  }
}

}  // namespace pt::wire
