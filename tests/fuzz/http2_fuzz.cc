// Fuzzes an Http2Session with what a hostile client may send behind the preface; every request is
// answered, in ways that the input decides.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "wire/http2.h"

namespace {

using pt::Slice;
using namespace pt::wire;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
constexpr std::array<Http2Field, 1> kHead{{{":status", "200"}}};
constexpr std::array<Http2Field, 1> kTrailers{{{"grpc-status", "0"}}};

struct Stream : Http2Stream {
  bool is_open = true;
  bool has_head = false;
};

class Server : public Http2Events, public Http2Output {
 public:
  explicit Server(uint8_t style) : style_(style) {
    Http2Limits limits;
    limits.max_header_bytes = 1000;
    limits.idle_frames = 100;
    limits.max_streams = 20;
    session_ = std::move(Http2Session::Create(limits, this, this)).value();
  }

  void Run(std::string_view bytes, size_t step) {
    bool is_fine = session_->Receive(kPreface, {}).ok() && session_->Receive(kSettings, {}).ok();
    for (size_t i = 0; i < bytes.size() && is_fine; i += step) {
      is_fine = session_->Receive(bytes.substr(i, step), {}).ok();
      while (session_->Produce(1000)) {
      }
    }
    session_->Produce(1 << 20);
    session_.reset();
    for (const auto& stream : streams_) {
      if (stream->is_open) std::abort();  // OnClose is promised for each
    }
  }

  void OnRequest(const Http2Head& head) override {
    if (head.path.size() % 7 == 6) return;
    Stream& stream = *streams_.emplace_back(std::make_unique<Stream>());
    session_->Accept(&stream);
    if (!head.has_body || (style_ & 1) != 0) Answer(&stream);
  }
  void OnData(Http2Stream* stream, std::string_view) override {
    if ((style_ & 2) != 0) Answer(static_cast<Stream*>(stream));
  }
  void OnEnd(Http2Stream* stream) override { Answer(static_cast<Stream*>(stream)); }
  void OnClose(Http2Stream* stream, Http2Error) override {
    if (!static_cast<Stream*>(stream)->is_open) std::abort();
    static_cast<Stream*>(stream)->is_open = false;
  }
  void Write(std::string_view) override {}
  void Write(Slice) override {}

 private:
  void Answer(Stream* stream) {
    if (stream->has_head) return;
    stream->has_head = true;
    if ((style_ & 4) != 0) return session_->Reset(stream, Http2Error::kCancel);
    session_->SendHead(stream, kHead, FieldBytes::kStatic, BodyFollows::kYes);
    session_->Queue(stream, "12345", Slice::Static("some body"));
    session_->EndWithTrailers(stream, kTrailers, FieldBytes::kStatic);
  }

  const uint8_t style_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<Http2Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Short inputs run, too: libFuzzer stops when its first two, of at most one byte, reach nothing.
  const uint8_t style = size > 0 ? data[0] : 0;
  const size_t step = size > 1 ? 1 + size_t{data[1]} : 1;
  Server(style).Run(bytes.substr(std::min<size_t>(size, 2)), step);
  return 0;
}
