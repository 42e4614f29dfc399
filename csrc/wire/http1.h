// HTTP/1.1 messages as bytes (RFC 9112): finds and parses request heads in place, decodes chunked
// bodies, writes response heads. The grammar is Boost.Beast's sans-I/O parser; around it stand the
// rules that a server on the open net needs and that parser leaves to its user.
//
// Thread rule: values; no state outside. Views point into the bytes that were given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"

namespace pt::wire {

// Why a message is refused: the status to answer and the text. Status 0: nothing is wrong.
struct Http1Fault {
  int status = 0;
  std::string message;
  bool ok() const { return status == 0; }
};

struct Http1Field {
  std::string_view name;
  std::string_view value;
};

enum class BodyKind { kNone, kLength, kChunked };

struct Http1Request {
  std::string_view method;
  std::string_view target;
  int minor_version = 1;  // HTTP/1.x
  std::vector<Http1Field> fields;
  BodyKind body = BodyKind::kNone;
  uint64_t content_length = 0;  // of kLength
  bool keeps_alive = true;      // by version and Connection
  bool expects_continue = false;
};

// Finds the end of a request head in bytes that grow; looks at each byte once.
class Http1HeadScanner {
 public:
  enum class State { kMore, kComplete, kBad };
  // `bytes` begins with the head and holds all that came so far. kComplete: it is head_size() long,
  // the empty line included. kBad: a line does not end in CR LF.
  State Scan(std::string_view bytes);
  size_t head_size() const { return scanned_; }
  void Reset() { scanned_ = 0; }

 private:
  size_t scanned_ = 0;  // whole lines only
};

// Parses a complete head (as the scanner delimits it) into `request`, whose `fields` keep their
// capacity. Faults: 400 for what RFC 9112 forbids (among it folded lines, Content-Length together
// with Transfer-Encoding, differing lengths), 501 for a transfer coding other than chunked, 505 for
// another major version.
Http1Fault ParseHttp1Head(std::string_view head, Http1Request* request);

// Decodes a chunked body (extensions and trailers are read and dropped).
class Http1ChunkedBody {
 public:
  // More than `max_size` bytes of data: 413.
  explicit Http1ChunkedBody(uint64_t max_size);
  ~Http1ChunkedBody();
  Http1ChunkedBody(const Http1ChunkedBody&) = delete;
  Http1ChunkedBody& operator=(const Http1ChunkedBody&) = delete;

  // Decodes from the front of `bytes` and passes the data on to `data`, in order. Sets *consumed;
  // what is not consumed must be given again with more behind it. Faults: 400 bad framing, chunks
  // so small that they are an attack, 413 too large, 431 trailers too large.
  Http1Fault Decode(std::string_view bytes, size_t* consumed,
                    FunctionRef<void(std::string_view)> data);
  // The last chunk and its trailers were consumed.
  bool is_complete() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

enum class ConnectionField { kNone, kClose, kKeepAlive };
enum class Framing { kLength, kChunked, kUntilClose };

struct Http1ResponseHead {
  int minor_version = 1;
  int status = 200;
  std::string_view content_type;
  int64_t inference_header_length = -1;  // -1: none
  std::string_view content_encoding;
  const std::vector<std::pair<std::string, std::string>>* more_fields = nullptr;  // null: none
  Framing framing = Framing::kLength;
  uint64_t content_length = 0;  // of kLength
  ConnectionField connection = ConnectionField::kNone;
};

// At most so many bytes are written for `head`.
size_t MaxHeadSize(const Http1ResponseHead& head);
// Writes status line, fields in the order of spec/triton-frontend 1.1 and the empty line to `out`,
// which has room for MaxHeadSize bytes. Returns the bytes written.
size_t WriteHead(const Http1ResponseHead& head, char* out);
// The longest text WriteChunkSize writes: 16 hex digits and CR LF.
inline constexpr size_t kMaxChunkSize = 18;
// "1F4\r\n". Returns the bytes written.
size_t WriteChunkSize(uint64_t size, char* out);

// "Bad Request" for 400, as Triton spells them; "Error" for a status nobody names.
std::string_view ReasonPhrase(int status);

}  // namespace pt::wire
