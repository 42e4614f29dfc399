// Whatever comes: heads and chunked bodies are parsed or refused, and the parts of a head lie
// inside it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/http1.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckInside(std::string_view part, std::string_view whole) {
  Check(part.empty() ||
        (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size()));
}

// Returns what lies behind the head.
std::string_view ReadHead(std::string_view bytes) {
  pt::wire::Http1HeadScanner scanner;
  if (scanner.Scan(bytes) != pt::wire::Http1HeadScanner::State::kComplete) return bytes;
  const std::string_view head = bytes.substr(0, scanner.head_size());
  pt::wire::Http1Request request;
  if (pt::wire::ParseHttp1Head(head, &request).ok()) {
    CheckInside(request.method, head);
    CheckInside(request.target, head);
    for (const auto& field : request.fields) {
      CheckInside(field.name, head);
      CheckInside(field.value, head);
      Check(field.value.find('\n') == std::string_view::npos);
    }
  }
  return bytes.substr(head.size());
}

void ReadChunks(std::string_view bytes, size_t step) {
  constexpr uint64_t kMaxSize = 1 << 16;
  pt::wire::Http1ChunkedBody body(kMaxSize);
  uint64_t decoded = 0;
  size_t begin = 0;
  for (size_t end = step; begin < bytes.size() && !body.is_complete(); end += step) {
    if (end > bytes.size()) end = bytes.size();
    size_t consumed = 0;
    const auto fault = body.Decode(bytes.substr(begin, end - begin), &consumed,
                                   [&decoded](std::string_view data) { decoded += data.size(); });
    Check(consumed <= end - begin);
    begin += consumed;
    if (!fault.ok() || (end == bytes.size() && consumed == 0)) break;
  }
  Check(decoded <= kMaxSize);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view rest = ReadHead(bytes);
  ReadChunks(rest, 1 + data[0]);
  ReadChunks(bytes, 1 + data[0]);
  return 0;
}
