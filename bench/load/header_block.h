// HPACK (RFC 7541) for one kind of request: what a gRPC call sends, and what its answer says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

struct nghttp2_hd_inflater;

namespace pt::load {

// Header blocks of the same request again and again: the first one of a connection teaches the
// server's dynamic table, later ones are six bytes.
struct RequestHeaders {
  std::string first;
  std::string later;
};

// With `has_table` false the server allows no dynamic table: both blocks spell everything out.
RequestHeaders BuildRequestHeaders(const std::string& path, const std::string& authority,
                                   bool has_table);

// What a block of the answer says.
struct AnswerHeaders {
  int http_status = 0;   // 0: not in this block
  int grpc_status = -1;  // -1: not in this block
  std::string grpc_message;
  bool is_compressed = false;  // grpc-encoding other than identity
};

// Decodes the blocks of one connection, in their order.
class AnswerHeadersReader {
 public:
  AnswerHeadersReader();
  ~AnswerHeadersReader();

  // The view is valid until the next call. Internal: not HPACK.
  Result<const AnswerHeaders*> Read(std::string_view block);

 private:
  // A block of indexed fields only, seen before and still meaning the same.
  struct Known {
    std::string block;
    AnswerHeaders headers;
  };

  Status Inflate(std::string_view block, AnswerHeaders& headers);

  nghttp2_hd_inflater* inflater_ = nullptr;
  Known known_[4];
  size_t next_known_ = 0;
  AnswerHeaders last_;
};

}  // namespace pt::load
