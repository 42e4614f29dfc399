#include "wire/http2_head.h"

namespace pt::wire {
namespace {

// What a field counts beside its bytes (RFC 9113 6.5.2).
constexpr size_t kFieldOverhead = 32;
// A head this many times over the limit is not answered: it ends the connection. HPACK makes large
// heads out of few bytes.
constexpr size_t kPatience = 16;

}  // namespace

void Http2HeadBuilder::Begin() {
  bytes_.clear();
  spans_.clear();
  size_ = 0;
  is_too_large_ = false;
}

bool Http2HeadBuilder::Add(std::string_view name, std::string_view value) {
  size_ += name.size() + value.size() + kFieldOverhead;
  if (size_ > max_size_) {
    is_too_large_ = true;
    return size_ <= kPatience * max_size_;
  }
  const auto begin = static_cast<uint32_t>(bytes_.size());
  const auto name_size = static_cast<uint32_t>(name.size());
  bytes_.append(name).append(value);
  spans_.push_back({begin, name_size, begin + name_size, static_cast<uint32_t>(value.size())});
  return true;
}

Http2Head Http2HeadBuilder::Finish(bool has_body) {
  Http2Head head;
  fields_.clear();
  const std::string_view bytes = bytes_;
  for (const Span& span : spans_) {
    const std::string_view name = bytes.substr(span.name_begin, span.name_size);
    const std::string_view value = bytes.substr(span.value_begin, span.value_size);
    if (name.empty() || name[0] != ':') {
      fields_.push_back({name, value});
    } else if (name == ":method") {
      head.method = value;
    } else if (name == ":path") {
      head.path = value;
    } else if (name == ":scheme") {
      head.scheme = value;
    } else if (name == ":authority") {
      head.authority = value;
    }
  }
  head.fields = fields_;
  head.has_body = has_body;
  head.is_too_large = is_too_large_;
  return head;
}

}  // namespace pt::wire
