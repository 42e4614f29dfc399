// gRPC over HTTP/2, the bytes of it: message frames, grpc-timeout, grpc-message, encoding names
// (grpc/doc/PROTOCOL-HTTP2.md). No HTTP/2 here: DATA bytes come in, pieces of messages come out.
//
// Thread rule: a GrpcDeframer belongs to one thread at a time; the functions are pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "wire/content_coding.h"

namespace pt::wire {

inline constexpr size_t kGrpcPrefixSize = 5;

// The five bytes before a message: compressed flag, big-endian length.
std::array<char, kGrpcPrefixSize> GrpcPrefix(uint32_t size, bool is_compressed);

// What Next found.
struct GrpcPiece {
  enum class Kind {
    kNone,   // the chunk is used up
    kWhole,  // a message that lies wholly in this chunk: `bytes`
    kBegin,  // a message of `size` bytes begins; it does not end in this chunk
    kPart,   // its next bytes, never empty
    kEnd,    // it is complete
    kBad,    // the flag byte is neither 0 nor 1; the stream can't be read on
  };
  Kind kind = Kind::kNone;
  bool is_compressed = false;  // kWhole, kBegin, kEnd
  uint32_t size = 0;           // kWhole, kBegin
  std::string_view bytes;      // a view of the chunk
};

// Cuts a stream of DATA chunks into messages. Copies nothing.
class GrpcDeframer {
 public:
  // The next piece; removes what it used from `chunk`. Call until kNone (or kBad).
  GrpcPiece Next(std::string_view* chunk);
  // Of the message that has begun: how many bytes are still to come.
  uint32_t body_left() const { return state_ == State::kBody ? left_ : 0; }
  // The next `count` bytes of it were taken elsewhere; Next goes on behind them. REQUIRES: count <=
  // body_left().
  void SkipBody(uint32_t count);
  // True between messages: the client may end its stream here.
  bool is_at_boundary() const { return state_ == State::kPrefix && prefix_size_ == 0; }
  void Reset() { *this = GrpcDeframer(); }

 private:
  enum class State : uint8_t { kPrefix, kBody, kEnd, kBad };
  GrpcPiece Begin(std::string_view* chunk);

  State state_ = State::kPrefix;
  bool is_compressed_ = false;
  uint8_t prefix_size_ = 0;
  std::array<char, kGrpcPrefixSize> prefix_{};
  uint32_t left_ = 0;  // bytes of the message that are still to come
};

// "1S", "20000u", ...: 1 to 8 digits and a unit of H M S m u n. Nothing on anything else.
std::optional<Duration> ParseGrpcTimeout(std::string_view text);

// `grpc-message`: bytes outside printable ASCII, and '%', become %XX. Cut (at a character's border)
// so that the result has at most `max_size` bytes.
std::string EncodeGrpcMessage(std::string_view text, size_t max_size);

// True for "application/grpc", also with "+proto" or ";..." behind it; not for
// "application/grpc-web".
bool IsGrpcContentType(std::string_view content_type);

// The coding that grpc-encoding names ("identity", "gzip", "deflate"); nothing when it is another.
std::optional<ContentCoding> ParseGrpcEncoding(std::string_view name);
// The best coding for answers that the comma-separated grpc-accept-encoding names.
ContentCoding ChooseGrpcEncoding(std::string_view accepted);

}  // namespace pt::wire
