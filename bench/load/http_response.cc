#include "load/http_response.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace pt::load {
namespace {

constexpr size_t kMaxHeadBytes = 64 * 1024;

bool IsSame(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

Result<size_t> ParseSize(std::string_view text, int base) {
  size_t size = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size, base);
  if (error != std::errc() || end == text.data()) {
    return Internal("HTTP answer: expected a length, got '" + std::string(text) + "'");
  }
  return size;
}

}  // namespace

void HttpResponseParser::Reset() {
  state_ = State::kHead;
  line_.clear();
}

Status HttpResponseParser::ParseField(std::string_view name, std::string_view value) {
  if (IsSame(name, "content-length")) {
    PT_ASSIGN_OR_RETURN(head_.body_bytes, ParseSize(value, 10));
  } else if (IsSame(name, "inference-header-content-length")) {
    PT_ASSIGN_OR_RETURN(head_.json_bytes, ParseSize(value, 10));
  } else if (IsSame(name, "transfer-encoding")) {
    head_.is_chunked = IsSame(value, "chunked");
  } else if (IsSame(name, "connection")) {
    head_.is_last = IsSame(value, "close");
  } else if (IsSame(name, "content-encoding") && !IsSame(value, "identity")) {
    return Internal("HTTP answer: expected no compression, got '" + std::string(value) + "'");
  }
  return {};
}

Status HttpResponseParser::ParseHead(std::string_view text) {
  if (text.substr(0, 7) != "HTTP/1." || text.size() < 12) {
    return Internal("expected an HTTP/1.1 answer, got '" + std::string(text.substr(0, 40)) + "'");
  }
  head_ = {};
  auto [end, error] = std::from_chars(text.data() + 9, text.data() + 12, head_.status);
  if (error != std::errc() || end != text.data() + 12) {
    return Internal("HTTP answer: expected a status of three digits");
  }
  size_t line = text.find("\r\n") + 2;
  while (line + 2 < text.size()) {
    size_t end_of_line = text.find("\r\n", line);
    std::string_view field = text.substr(line, end_of_line - line);
    size_t colon = field.find(':');
    if (colon == std::string_view::npos) return Internal("HTTP answer: a field without a colon");
    std::string_view value = field.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    PT_RETURN_IF_ERROR(ParseField(field.substr(0, colon), value));
    line = end_of_line + 2;
  }
  last_head_text_.assign(text);
  last_head_ = head_;
  return {};
}

Status HttpResponseParser::FeedHead(std::string_view& bytes) {
  bool is_same = line_.empty() && !last_head_text_.empty() &&
                 bytes.substr(0, last_head_text_.size()) == last_head_text_;
  if (is_same) {
    head_ = last_head_;
    bytes.remove_prefix(last_head_text_.size());
  } else {
    size_t before = line_.size();
    line_.append(bytes);
    size_t end = line_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == std::string::npos) {
      bytes = {};
      if (line_.size() > kMaxHeadBytes) return Internal("HTTP answer: the head has no end");
      return {};
    }
    PT_RETURN_IF_ERROR(ParseHead(std::string_view(line_).substr(0, end + 4)));
    bytes.remove_prefix(end + 4 - before);
    line_.clear();
  }
  left_ = head_.body_bytes;
  state_ = head_.is_chunked ? State::kChunkSize : left_ > 0 ? State::kBody : State::kComplete;
  if (head_.status == 100) state_ = State::kHead;
  return {};
}

bool HttpResponseParser::TakeLine(std::string_view& bytes, std::string& line) {
  size_t end = bytes.find('\n');
  line_.append(bytes.substr(0, end));
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (end == std::string_view::npos) return false;
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  line = std::move(line_);
  line_.clear();
  return true;
}

Status HttpResponseParser::FeedChunkLine(std::string_view& bytes) {
  std::string line;
  if (!TakeLine(bytes, line)) return {};
  if (state_ == State::kTrailers) {
    if (line.empty()) state_ = State::kComplete;
  } else if (state_ == State::kChunkEnd) {
    state_ = State::kChunkSize;
  } else {
    PT_ASSIGN_OR_RETURN(left_, ParseSize(line, 16));
    state_ = left_ == 0 ? State::kTrailers : State::kChunkData;
  }
  return {};
}

Status HttpResponseParser::Feed(std::string_view& bytes,
                                FunctionRef<void(std::string_view)> on_body) {
  while (!bytes.empty() && state_ != State::kComplete) {
    if (state_ == State::kHead) {
      PT_RETURN_IF_ERROR(FeedHead(bytes));
    } else if (state_ == State::kBody || state_ == State::kChunkData) {
      std::string_view part = bytes.substr(0, left_);
      on_body(part);
      bytes.remove_prefix(part.size());
      left_ -= part.size();
      if (left_ > 0) continue;
      state_ = state_ == State::kBody ? State::kComplete : State::kChunkEnd;
    } else {
      PT_RETURN_IF_ERROR(FeedChunkLine(bytes));
    }
  }
  return {};
}

}  // namespace pt::load
