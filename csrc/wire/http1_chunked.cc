#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>

#include "wire/http1.h"

namespace pt::wire {
namespace {

namespace http = boost::beast::http;
using BeastView = boost::beast::string_view;
using boost::beast::error_code;

// A chunk header with its extensions, and all trailers together, fit in this.
constexpr size_t kMaxFraming = 16 << 10;
// Chunks may be small, but a body of nothing but tiny ones costs far more than it carries. So many
// are free; beyond that the body must carry kMinChunkBytes a chunk on average.
constexpr uint64_t kFreeChunks = 4096;
constexpr uint64_t kMinChunkBytes = 16;

// Beast wants to see no less of a last chunk, once it has seen a part of it (an assertion of its).
constexpr size_t kLastChunkBytes = std::string_view("0\r\n\r\n").size();

// Beast decodes bodies behind a head; this one makes it expect chunks.
constexpr std::string_view kHead = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

class ChunkParser final : public http::basic_parser<true> {
 public:
  ChunkParser() {
    eager(true);
    body_limit(boost::none);
    error_code error;
    put({kHead.data(), kHead.size()}, error);
  }

  void set_data(const FunctionRef<void(std::string_view)>* data) { data_ = data; }
  uint64_t chunks() const { return chunks_; }
  uint64_t announced() const { return announced_; }
  bool is_flood() const {
    return chunks_ > kFreeChunks && announced_ < (chunks_ - kFreeChunks) * kMinChunkBytes;
  }

 private:
  void on_chunk_header_impl(std::uint64_t size, BeastView, error_code& error) override {
    if (size == 0) return;
    ++chunks_;
    const bool overflows = size > std::numeric_limits<uint64_t>::max() - announced_;
    announced_ = overflows ? std::numeric_limits<uint64_t>::max() : announced_ + size;
    if (announced_ > max_size) error = http::error::body_limit;
    if (is_flood()) error = http::error::bad_chunk;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body, error_code&) override {
    (*data_)({body.data(), body.size()});
    return body.size();
  }
  void on_request_impl(http::verb, BeastView, BeastView, int, error_code&) override {}
  void on_field_impl(http::field, BeastView, BeastView, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, BeastView, int, error_code&) override {}

 public:
  uint64_t max_size = 0;

 private:
  const FunctionRef<void(std::string_view)>* data_ = nullptr;
  uint64_t chunks_ = 0;
  uint64_t announced_ = 0;
};

}  // namespace

struct Http1ChunkedBody::Impl {
  ChunkParser parser;
};

Http1ChunkedBody::Http1ChunkedBody(uint64_t max_size) : impl_(std::make_unique<Impl>()) {
  impl_->parser.max_size = max_size;
}

Http1ChunkedBody::~Http1ChunkedBody() = default;

bool Http1ChunkedBody::is_complete() const { return impl_->parser.is_done(); }

Http1Fault Http1ChunkedBody::Decode(std::string_view bytes, size_t* consumed,
                                    FunctionRef<void(std::string_view)> data) {
  *consumed = 0;
  ChunkParser& parser = impl_->parser;
  if (parser.is_done() || bytes.empty()) return {};
  // Whatever this is, more will follow: every body ends with a last chunk.
  if (bytes.size() < kLastChunkBytes && bytes.front() == '0') return {};
  parser.set_data(&data);
  error_code error;
  *consumed = parser.put({bytes.data(), bytes.size()}, error);
  parser.set_data(nullptr);
  if (!error || error == http::error::need_more) {
    if (bytes.size() - *consumed <= kMaxFraming) return {};
    return {431, "expected a chunk header, or all trailers, of at most " +
                     std::to_string(kMaxFraming) + " bytes"};
  }
  if (error == http::error::body_limit) {
    return {413, "expected a request body of at most " + std::to_string(parser.max_size) +
                     " bytes, got a chunked body of more"};
  }
  if (parser.is_flood()) {
    return {400, "expected chunks of at least " + std::to_string(kMinChunkBytes) +
                     " bytes on average, got " + std::to_string(parser.chunks()) + " chunks with " +
                     std::to_string(parser.announced()) + " bytes"};
  }
  return {400, "expected a chunked body as RFC 9112, section 7.1, describes it, got a bad chunk"};
}

}  // namespace pt::wire
