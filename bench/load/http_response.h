// HttpResponseParser: the bytes of HTTP/1.1 answers -> status, body bytes, end. No I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/function_ref.h"
#include "base/status.h"

namespace pt::load {

class HttpResponseParser {
 public:
  struct Head {
    int status = 0;
    size_t json_bytes = 0;  // Inference-Header-Content-Length
    size_t body_bytes = 0;  // Content-Length
    bool is_chunked = false;
    bool is_last = false;  // Connection: close
  };

  // Reads from the front of `bytes` and removes what it read, up to the end of one answer. Body
  // bytes go to `on_body`. Internal: not HTTP/1.1, or a part of it that inference does not use.
  Status Feed(std::string_view& bytes, FunctionRef<void(std::string_view)> on_body);
  // Whether the answer has ended; then Reset() before the next.
  bool is_complete() const { return state_ == State::kComplete; }
  // Whether any byte of an answer has come.
  bool has_begun() const { return state_ != State::kHead || !line_.empty(); }
  // How much of a body of known length is still to come.
  size_t body_left() const { return state_ == State::kBody ? left_ : 0; }
  const Head& head() const { return head_; }
  void Reset();

 private:
  enum class State { kHead, kBody, kChunkSize, kChunkData, kChunkEnd, kTrailers, kComplete };

  Status FeedHead(std::string_view& bytes);
  Status ParseHead(std::string_view text);
  Status ParseField(std::string_view name, std::string_view value);
  Status FeedChunkLine(std::string_view& bytes);
  // Takes one line without its end; false if it has not come whole (line_ keeps the part).
  bool TakeLine(std::string_view& bytes, std::string& line);

  State state_ = State::kHead;
  Head head_;
  std::string last_head_text_;  // most servers send the same head again and again
  Head last_head_;
  std::string line_;  // an incomplete head or line
  size_t left_ = 0;   // of the body or chunk
};

}  // namespace pt::load
