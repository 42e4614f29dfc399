#include <array>
#include <charconv>
#include <cstring>

#include "wire/http1.h"

namespace pt::wire {
namespace {

// Status line, all fixed fields with the longest numbers, the empty line; texts are counted apart.
constexpr size_t kFixedRoom = 320;

struct Reason {
  int status;
  std::string_view phrase;
};

// Triton's spelling where Triton has the status (405!), RFC 9110's otherwise.
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

char* Put(char* out, std::string_view text) {
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

template <typename Number>
char* PutNumber(char* out, Number number) {
  return std::to_chars(out, out + 20, number).ptr;
}

char* PutContentType(char* out, std::string_view type) {
  if (type.empty()) return out;
  out = Put(out, "Content-Type: ");
  out = Put(out, type);
  return Put(out, "\r\n");
}

// Length (or coding) and Connection, which stand together in every order.
char* PutFraming(char* out, const Http1ResponseHead& head) {
  if (head.framing == Framing::kLength) {
    out = Put(out, "Content-Length: ");
    out = PutNumber(out, head.content_length);
    out = Put(out, "\r\n");
  } else if (head.framing == Framing::kChunked) {
    out = Put(out, "Transfer-Encoding: chunked\r\n");
  }
  if (head.connection == ConnectionField::kClose) out = Put(out, "Connection: close\r\n");
  if (head.connection == ConnectionField::kKeepAlive) out = Put(out, "Connection: keep-alive\r\n");
  return out;
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.phrase;
  }
  return "Error";
}

size_t MaxHeadSize(const Http1ResponseHead& head) {
  size_t size = kFixedRoom + head.content_type.size() + head.content_encoding.size();
  if (head.more_fields == nullptr) return size;
  for (const auto& [name, value] : *head.more_fields) size += name.size() + value.size() + 4;
  return size;
}

size_t WriteHead(const Http1ResponseHead& head, char* out) {
  char* const begin = out;
  out = Put(out, head.minor_version == 0 ? "HTTP/1.0 " : "HTTP/1.1 ");
  out = PutNumber(out, head.status);
  *out++ = ' ';
  out = Put(out, ReasonPhrase(head.status));
  out = Put(out, "\r\n");
  // Triton's library adds "text/plain" as a default, behind everything else.
  const bool is_type_last = head.content_type == "text/plain";
  if (!is_type_last) out = PutContentType(out, head.content_type);
  if (head.inference_header_length >= 0) {
    out = Put(out, "Inference-Header-Content-Length: ");
    out = PutNumber(out, head.inference_header_length);
    out = Put(out, "\r\n");
  }
  if (!head.content_encoding.empty()) {
    out = Put(out, "Content-Encoding: ");
    out = Put(out, head.content_encoding);
    out = Put(out, "\r\n");
  }
  if (head.more_fields != nullptr) {
    for (const auto& [name, value] : *head.more_fields) {
      out = Put(out, name);
      out = Put(out, ": ");
      out = Put(out, value);
      out = Put(out, "\r\n");
    }
  }
  out = PutFraming(out, head);
  if (is_type_last) out = PutContentType(out, head.content_type);
  out = Put(out, "\r\n");
  return static_cast<size_t>(out - begin);
}

size_t WriteChunkSize(uint64_t size, char* out) {
  char* const end = std::to_chars(out, out + 16, size, 16).ptr;
  std::memcpy(end, "\r\n", 2);
  return static_cast<size_t>(end + 2 - out);
}

}  // namespace pt::wire
