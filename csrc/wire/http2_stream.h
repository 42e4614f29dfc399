// Http2Stream: one exchange of an Http2Session: its place in the session and the body of the
// answer, which waits here, uncopied, until it may be framed.
//
// Thread rule: belongs to its session's thread.
// Owner rule: owned by whoever accepted it; the session borrows it until OnClose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "wire/http2_head.h"

namespace pt::wire {

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
  // As new, keeping memory. REQUIRES: the stream is closed or was never opened.
  void ResetForReuse();

 private:
  friend class Http2Session;
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

  int32_t id_ = 0;
  bool is_request_complete_ = false;
  bool is_deferred_ = false;  // nghttp2 has been told that nothing is there at the moment
  bool is_ended_ = false;     // nothing more will be queued
  bool are_trailers_static_ = false;
  size_t unsent_ = 0;
  size_t withheld_ = 0;  // received bytes for which the client got no new credit yet
  std::vector<Piece, CellAllocator<Piece>> pieces_;
  size_t next_piece_ = 0;
  size_t piece_offset_ = 0;  // bytes of the next piece, lead included, that were framed
  std::span<const Http2Field> trailers_;
  Http2Stream* previous_ = nullptr;
  Http2Stream* next_ = nullptr;
};

}  // namespace pt::wire
