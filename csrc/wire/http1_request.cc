#include <boost/beast/http/basic_parser.hpp>
#include <cstring>
#include <limits>

#include "wire/http1.h"

namespace pt::wire {
namespace {

namespace http = boost::beast::http;
using BeastView = boost::beast::string_view;
using boost::beast::error_code;
using boost::beast::iequals;

constexpr int kBadRequest = 400;
constexpr int kNotImplemented = 501;
constexpr int kVersionNotSupported = 505;

std::string_view ToView(BeastView view) { return {view.data(), view.size()}; }

// What Beast found wrong, in the words of this server.
std::string_view Explain(const error_code& error) {
  if (error == http::error::bad_method) return "expected a method of token characters";
  if (error == http::error::bad_target)
    return "expected a request target without spaces or controls";
  if (error == http::error::bad_version) return "expected the version HTTP/1.0 or HTTP/1.1";
  if (error == http::error::bad_field) {
    return "expected header lines 'Name: value' without space before the colon";
  }
  if (error == http::error::bad_value) return "expected a header value without control characters";
  if (error == http::error::bad_line_ending) return "expected every line to end in CR LF";
  if (error == http::error::bad_content_length) {
    return "expected one Content-Length, a decimal number, and no Transfer-Encoding beside it";
  }
  if (error == http::error::bad_transfer_encoding) {
    return "expected one Transfer-Encoding and no Content-Length beside it";
  }
  return "expected a request as RFC 9112 describes it";
}

// Collects what Beast's parser reports; everything stays where it is in the head.
class HeadParser final : public http::basic_parser<true> {
 public:
  HeadParser(std::string_view head, Http1Request* request) : head_(head), request_(request) {
    eager(false);
    header_limit(static_cast<std::uint32_t>(head.size() + 1));
    // The connection has its own limit. (boost::none would refuse every length in Boost 1.74.)
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  const Http1Fault& fault() const { return fault_; }

 private:
  void on_request_impl(http::verb, BeastView method, BeastView target, int version,
                       error_code&) override {
    request_->method = ToView(method);
    request_->target = ToView(target);
    request_->minor_version = version % 10;
  }

  void on_field_impl(http::field name, BeastView name_text, BeastView value,
                     error_code& error) override {
    if (IsFolded(name_text, value)) {
      Refuse(kBadRequest, "expected no folded header lines (RFC 9112, section 5.2)", error);
      return;
    }
    if (name == http::field::transfer_encoding && !iequals(value, "chunked")) {
      Refuse(kNotImplemented,
             "expected the transfer coding 'chunked', got '" + std::string(value) + "'", error);
      return;
    }
    if (name == http::field::expect) request_->expects_continue = true;
    request_->fields.push_back({ToView(name_text), ToView(value)});
  }

  // Beast joins folded lines in a buffer of its own, or skips the fold when the first line is
  // empty.
  bool IsFolded(BeastView name, BeastView value) const {
    const char* const name_end = name.data() + name.size();
    if (value.data() < name_end || value.data() > head_.data() + head_.size()) return true;
    return std::memchr(name_end, '\n', static_cast<size_t>(value.data() - name_end)) != nullptr;
  }

  void Refuse(int status, std::string message, error_code& error) {
    fault_ = {status, std::move(message)};
    error = http::error::bad_value;
  }

  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(BeastView body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, BeastView, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, BeastView body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
  void on_response_impl(int, BeastView, int, error_code&) override {}

  const std::string_view head_;
  Http1Request* const request_;
  Http1Fault fault_;
};

// "HTTP/2.0" and the like at the end of the first line: well-formed, but not ours.
bool IsOtherVersion(std::string_view head) {
  const std::string_view line = head.substr(0, head.find('\r'));
  if (line.size() < 9) return false;
  const std::string_view version = line.substr(line.size() - 9);
  return version.substr(0, 6) == " HTTP/" && version[6] >= '0' && version[6] <= '9' &&
         version[6] != '1' && version[7] == '.';
}

}  // namespace

Http1HeadScanner::State Http1HeadScanner::Scan(std::string_view bytes) {
  while (scanned_ < bytes.size()) {
    const char* const line = bytes.data() + scanned_;
    const void* const found = std::memchr(line, '\n', bytes.size() - scanned_);
    if (found == nullptr) return State::kMore;
    const size_t length = static_cast<size_t>(static_cast<const char*>(found) - line);
    if (length == 0 || line[length - 1] != '\r') return State::kBad;
    scanned_ += length + 1;
    if (length == 1) return State::kComplete;
  }
  return State::kMore;
}

Http1Fault ParseHttp1Head(std::string_view head, Http1Request* request) {
  request->fields.clear();
  request->expects_continue = false;
  request->minor_version = 1;
  HeadParser parser(head, request);
  error_code error;
  const size_t used = parser.put({head.data(), head.size()}, error);
  if (error) {
    if (!parser.fault().ok()) return parser.fault();
    if (error == http::error::bad_version && IsOtherVersion(head)) {
      return {kVersionNotSupported, std::string(Explain(error))};
    }
    return {kBadRequest, std::string(Explain(error))};
  }
  // Beast ends a head at the first empty line, as the scanner does; anything else is not
  // understood.
  if (used != head.size() || !parser.is_header_done()) {
    return {kBadRequest, "expected a request as RFC 9112 describes it"};
  }
  request->keeps_alive = parser.keep_alive();
  request->body = BodyKind::kNone;
  request->content_length = 0;
  if (parser.chunked()) {
    request->body = BodyKind::kChunked;
  } else if (parser.content_length()) {
    request->content_length = *parser.content_length();
    if (request->content_length > 0) request->body = BodyKind::kLength;
  }
  if (request->body == BodyKind::kChunked && request->minor_version == 0) {
    return {kBadRequest, "expected no Transfer-Encoding in an HTTP/1.0 request"};
  }
  return {};
}

}  // namespace pt::wire
