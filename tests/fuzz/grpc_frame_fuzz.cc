// Fuzzes gRPC framing and its header values: any bytes in any chunks must give the same messages as
// in one chunk, and no piece may lie outside its chunk.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/grpc_frame.h"

namespace {

using pt::wire::GrpcDeframer;
using pt::wire::GrpcPiece;

void Require(bool holds) {
  if (!holds) std::abort();
}

// What the deframer made of `bytes`, given in chunks of `step`.
std::string Read(std::string_view bytes, size_t step) {
  GrpcDeframer deframer;
  std::string record;
  for (size_t i = 0; i < bytes.size(); i += step) {
    const std::string_view whole = bytes.substr(i, step);
    std::string_view chunk = whole;
    for (;;) {
      const GrpcPiece piece = deframer.Next(&chunk);
      if (piece.kind == GrpcPiece::Kind::kNone) break;
      if (piece.kind == GrpcPiece::Kind::kBad) return record + "!";
      if (!piece.bytes.empty()) {
        Require(piece.bytes.data() >= whole.data());
        Require(piece.bytes.data() + piece.bytes.size() <= whole.data() + whole.size());
      }
      if (piece.kind == GrpcPiece::Kind::kWhole || piece.kind == GrpcPiece::Kind::kBegin) {
        record += piece.is_compressed ? "[z" : "[";
      }
      record += piece.bytes;
      if (piece.kind == GrpcPiece::Kind::kWhole || piece.kind == GrpcPiece::Kind::kEnd)
        record += "]";
    }
  }
  return record + (deframer.is_at_boundary() ? "." : "~");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const size_t step = 1 + data[0] % 16;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Require(Read(bytes, step) == Read(bytes, bytes.size() + 1));

  const auto timeout = pt::wire::ParseGrpcTimeout(bytes);
  Require(!timeout || timeout->count() >= 0);
  Require(pt::wire::EncodeGrpcMessage(bytes, 100).size() <= 100);
  (void)pt::wire::ChooseGrpcEncoding(bytes);
  (void)pt::wire::ParseGrpcEncoding(bytes);
  (void)pt::wire::IsGrpcContentType(bytes);
  return 0;
}
