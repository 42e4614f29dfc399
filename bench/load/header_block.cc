#include "load/header_block.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdlib>

namespace pt::load {
namespace {

constexpr uint8_t kIndexed = 0x80;         // RFC 7541 6.1
constexpr uint8_t kLiteralIndexed = 0x40;  // 6.2.1
constexpr uint8_t kTableSizeZero = 0x20;   // 6.3

// Static table entries (appendix A).
constexpr uint8_t kAuthority = 1;
constexpr uint8_t kMethodPost = 3;
constexpr uint8_t kPath = 4;
constexpr uint8_t kSchemeHttp = 6;
constexpr uint8_t kContentType = 31;
constexpr uint8_t kFirstDynamic = 62;

// A string without Huffman coding (5.2).
void AppendString(std::string& out, std::string_view text) {
  size_t size = text.size();
  if (size < 0x7f) {
    out += static_cast<char>(size);
  } else {
    out += static_cast<char>(0x7f);
    for (size -= 0x7f; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
    out += static_cast<char>(size);
  }
  out += text;
}

void Apply(std::string_view name, std::string_view value, AnswerHeaders& headers) {
  if (name == ":status") headers.http_status = std::atoi(std::string(value).c_str());
  if (name == "grpc-status") headers.grpc_status = std::atoi(std::string(value).c_str());
  if (name == "grpc-message") headers.grpc_message = value;
  if (name == "grpc-encoding") headers.is_compressed = value != "identity";
}

std::string_view ViewOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Whether decoding the block leaves the dynamic table as it was: one-byte indexed fields only.
bool IsIndexedOnly(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char byte) {
    uint8_t value = static_cast<uint8_t>(byte);
    return value > kIndexed && value < 0xff;
  });
}

}  // namespace

RequestHeaders BuildRequestHeaders(const std::string& path, const std::string& authority,
                                   bool has_table) {
  // Literal fields add themselves to the table only where there is one.
  uint8_t literal = has_table ? kLiteralIndexed : 0;
  std::string head;
  head += static_cast<char>(kIndexed | kMethodPost);
  head += static_cast<char>(kIndexed | kSchemeHttp);

  auto add = [literal](std::string& out, uint8_t name, std::string_view value) {
    if (literal == 0 && name >= 15) {  // a four-bit prefix is too short for the index (6.2.2)
      out += static_cast<char>(15);
      out += static_cast<char>(name - 15);
    } else {
      out += static_cast<char>(literal | name);
    }
    AppendString(out, value);
  };
  RequestHeaders headers;
  headers.first = has_table ? head : static_cast<char>(kTableSizeZero) + head;
  std::string spelled;
  add(spelled, kPath, path);
  add(spelled, kAuthority, authority);
  add(spelled, kContentType, "application/grpc");
  spelled += static_cast<char>(literal);
  AppendString(spelled, "te");
  AppendString(spelled, "trailers");
  headers.first += spelled;

  headers.later = head;
  if (!has_table) {
    headers.later += spelled;
  } else {
    for (int entry = 3; entry >= 0; --entry) {  // the newest has the lowest index
      headers.later += static_cast<char>(kIndexed | (kFirstDynamic + entry));
    }
  }
  return headers;
}

AnswerHeadersReader::AnswerHeadersReader() { nghttp2_hd_inflate_new(&inflater_); }

AnswerHeadersReader::~AnswerHeadersReader() { nghttp2_hd_inflate_del(inflater_); }

Status AnswerHeadersReader::Inflate(std::string_view block, AnswerHeaders& headers) {
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  size_t left = block.size();
  while (true) {
    nghttp2_nv field;
    int flags = 0;
    ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
    if (used < 0) {
      return Internal(std::string("header block: ") + nghttp2_strerror(static_cast<int>(used)));
    }
    at += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      Apply(ViewOf(field.name, field.namelen), ViewOf(field.value, field.valuelen), headers);
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if (used == 0 && (flags & NGHTTP2_HD_INFLATE_EMIT) == 0) {
      return Internal("header block: ends within a field");
    }
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  return {};
}

Result<const AnswerHeaders*> AnswerHeadersReader::Read(std::string_view block) {
  for (const Known& known : known_) {
    if (known.block == block && !block.empty()) return &known.headers;
  }
  last_ = {};
  PT_RETURN_IF_ERROR(Inflate(block, last_));
  if (IsIndexedOnly(block)) {
    known_[next_known_++ % std::size(known_)] = {std::string(block), last_};
  } else {
    for (Known& known : known_) known.block.clear();  // indices mean something else now
  }
  return &last_;
}

}  // namespace pt::load
