// Http2Stream: one exchange of an Http2Session: its state (RFC 9113 5.1), its windows (5.2), and
// the body of the answer, which waits here, uncopied, until it may be framed.
//
// Thread rule: belongs to its session's thread.
// Owner rule: owned by whoever accepted it; the session borrows it until OnClose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "base/sip_hash.h"
#include "wire/http2_frame.h"
#include "wire/http2_head.h"

namespace pt::wire {

class Http2StreamQueue;

// Where frames go.
class Http2Output {
 public:
  virtual void Write(std::string_view bytes) = 0;
  virtual void Write(Slice bytes) = 0;

 protected:
  ~Http2Output() = default;
};

// One exchange, as the session sees it. The connection derives its own stream from it.
class Http2Stream {
 public:
  int32_t id() const { return id_; }
  // Queued bytes of the answer that were not framed yet.
  size_t unsent() const { return unsent_; }
  // The client has sent everything.
  bool is_request_complete() const { return is_request_complete_; }

 protected:
  Http2Stream() = default;
  ~Http2Stream() = default;

 private:
  friend class Http2Session;
  friend class Http2Sender;
  friend class Http2Streams;
  friend class Http2StreamQueue;
  // Bytes of the answer; `lead` goes before the slice (a gRPC prefix, which is worth no slice).
  struct Piece {
    Slice slice;
    uint8_t lead_size = 0;
    char lead[7];
  };

  // Appends to the body; `lead` has at most 7 bytes.
  void AppendBody(std::string_view lead, Slice bytes);
  // Writes the next `count` bytes. REQUIRES: count <= unsent().
  void WriteBody(size_t count, Http2Output* output);
  void WritePiece(Piece* piece, size_t* count, Http2Output* output);
  void DropWritten();

  // Something may be written at once, as far as this stream is concerned.
  bool has_output() const {
    if (reset_ || (is_head_queued_ && !is_head_sent_)) return true;
    if (!is_head_sent_) return false;
    return unsent_ > 0 ? send_window_ > 0 : is_ended_;
  }

  bool has_trailers() const { return !static_trailers_.empty() || !trailers_block_.empty(); }

  int32_t id_ = 0;
  bool is_request_complete_ = false;
  // The answer: its head waits, was framed; no more will be queued.
  bool is_head_queued_ = false;
  bool is_head_sent_ = false;
  bool is_ended_ = false;
  std::optional<Http2Error> reset_;  // why it will be, or was, reset by us

  int64_t send_window_ = 0;     // bytes that the client still takes
  int64_t receive_window_ = 0;  // bytes that the client may still send
  size_t taken_ = 0;            // received bytes that the next WINDOW_UPDATE gives back
  size_t withheld_ = 0;         // received bytes that are not given back for the time being
  // Of the request's body, if the client said so: what must still come (8.1.1).
  std::optional<uint64_t> body_left_;

  size_t unsent_ = 0;
  std::vector<Piece, CellAllocator<Piece>> pieces_;
  size_t next_piece_ = 0;
  size_t piece_offset_ = 0;  // bytes of the next piece, lead included, that were framed
  std::span<const Http2Field> static_head_;
  std::span<const Http2Field> static_trailers_;
  std::string head_block_;      // encoded, when it is not static
  std::string trailers_block_;  // the same

  Http2Stream* previous_ = nullptr;  // of the open ones
  Http2Stream* next_ = nullptr;
  Http2Stream* same_bucket_ = nullptr;  // Http2Streams'
  // Http2StreamQueue's.
  Http2StreamQueue* queue_ = nullptr;
  Http2Stream* queue_previous_ = nullptr;
  Http2Stream* queue_next_ = nullptr;
};

// Streams in the order in which they came, each in one queue at most. Borrows them.
class Http2StreamQueue {
 public:
  bool empty() const { return first_ == nullptr; }
  // At the end. REQUIRES: the stream is in no queue.
  void Push(Http2Stream* stream);
  // The first one. REQUIRES: not empty.
  Http2Stream* Pop();
  // Wherever it is; nothing if it is in no queue.
  static void Remove(Http2Stream* stream);
  // All of `from`, at the end.
  void Append(Http2StreamQueue* from);

 private:
  Http2Stream* first_ = nullptr;
  Http2Stream* last_ = nullptr;
};

// The open streams of a session, found by their id. Clients choose ids: which of them share a
// bucket is a secret of the session (Dietzfelbinger's multiply-shift hash).
class Http2Streams {
 public:
  Http2Streams() : secret_(SipKey::Random().k0 | 1), buckets_(size_t{1} << kFirstBits) {}

  size_t size() const { return size_; }
  Http2Stream* first() const { return first_; }
  // Null: not open.
  Http2Stream* Find(uint32_t id);
  void Add(Http2Stream* stream);
  // REQUIRES: it is here.
  void Remove(Http2Stream* stream);

 private:
  static constexpr int kFirstBits = 4;

  Http2Stream*& BucketOf(int32_t id) {
    return buckets_[(static_cast<uint64_t>(id) * secret_) >> (64 - bits_)];
  }
  void Grow();

  const uint64_t secret_;  // odd
  int bits_ = kFirstBits;  // of a bucket's number
  std::vector<Http2Stream*> buckets_;
  Http2Stream* first_ = nullptr;   // all of them, linked
  Http2Stream* latest_ = nullptr;  // the one that was last found: mostly the next one, too
  size_t size_ = 0;
};

}  // namespace pt::wire
