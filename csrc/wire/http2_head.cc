#include "wire/http2_head.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace pt::wire {
namespace {

// What a field counts beside its bytes (RFC 9113 6.5.2).
constexpr size_t kFieldOverhead = 32;
// A head this many times over the limit is not answered: it ends the connection. HPACK makes large
// heads out of few bytes.
constexpr size_t kPatience = 16;

// The pseudo fields of requests (8.3.1), by their bit.
constexpr std::array<std::string_view, 4> kPseudo{":method", ":scheme", ":path", ":authority"};
enum : uint8_t { kMethod = 1, kScheme = 2, kPath = 4, kAuthority = 8 };

constexpr std::array<std::string_view, 5> kOfConnection{
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

// libnghttp2's tables know which bytes names and values may have.
template <typename Check>
bool Passes(Check check, std::string_view text) {
  return check(reinterpret_cast<const uint8_t*>(text.data()), text.size()) != 0;
}

// In any case, as all names of codings (RFC 9110 10.1.4).
bool IsTrailers(std::string_view value) {
  constexpr std::string_view kTrailers = "trailers";
  return std::equal(value.begin(), value.end(), kTrailers.begin(), kTrailers.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

// Spaces around a value mean nothing, but some clients send them.
std::string_view Trimmed(std::string_view value) {
  const size_t begin = value.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return value.substr(begin, value.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

bool IsConnectionField(std::string_view name) {
  return std::find(kOfConnection.begin(), kOfConnection.end(), name) != kOfConnection.end();
}

void Http2HeadBuilder::Begin() {
  bytes_.clear();
  spans_.clear();
  size_ = 0;
  pseudo_ = 0;
  is_in_fields_ = is_too_large_ = is_malformed_ = false;
  content_length_.reset();
}

Http2HeadBuilder::Verdict Http2HeadBuilder::Add(std::string_view name, std::string_view value) {
  size_ += name.size() + value.size() + kFieldOverhead;
  if (size_ > kPatience * max_size_) return Verdict::kFlood;
  if (is_malformed_) return Verdict::kMalformed;
  // Not even looked at: what is refused anyway must cost little.
  if (size_ > max_size_) {
    is_too_large_ = true;
    return Verdict::kFine;
  }
  value = Trimmed(value);
  if (!IsWellFormed(name, value)) {
    is_malformed_ = true;
    return Verdict::kMalformed;
  }
  const auto begin = static_cast<uint32_t>(bytes_.size());
  const auto name_size = static_cast<uint32_t>(name.size());
  bytes_.append(name).append(value);
  spans_.push_back({begin, name_size, begin + name_size, static_cast<uint32_t>(value.size())});
  return Verdict::kFine;
}

bool Http2HeadBuilder::IsWellFormed(std::string_view name, std::string_view value) {
  if (!Passes(nghttp2_check_header_name, name) || !Passes(nghttp2_check_header_value, value)) {
    return false;
  }
  if (name[0] == ':') return IsPseudoFine(name, value);
  is_in_fields_ = true;
  if (name == "te") return IsTrailers(value);  // 8.2.2
  if (name == "content-length") return TakeContentLength(value);
  return !IsConnectionField(name);
}

// Known, once, and before all other fields (8.3).
bool Http2HeadBuilder::IsPseudoFine(std::string_view name, std::string_view value) {
  const auto known = std::find(kPseudo.begin(), kPseudo.end(), name);
  if (known == kPseudo.end() || is_in_fields_) return false;
  const auto bit = static_cast<uint8_t>(1u << (known - kPseudo.begin()));
  if ((pseudo_ & bit) != 0) return false;
  pseudo_ |= bit;
  if (bit == kMethod) return Passes(nghttp2_check_method, value);
  if (bit == kPath) return !value.empty() && Passes(nghttp2_check_path, value);
  if (bit == kAuthority) return Passes(nghttp2_check_authority, value);
  return true;
}

bool Http2HeadBuilder::TakeContentLength(std::string_view value) {
  uint64_t length = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (error != std::errc() || end != value.data() + value.size() || content_length_) return false;
  content_length_ = length;
  return true;
}

// 8.3.1; CONNECT has an authority only (8.5).
bool Http2HeadBuilder::IsComplete() const {
  if (is_too_large_) return true;  // it was cut: who knows
  if (head_.method == "CONNECT") return pseudo_ == (kMethod | kAuthority);
  const bool has_all = (pseudo_ & (kMethod | kScheme | kPath)) == (kMethod | kScheme | kPath);
  return has_all && (head_.path[0] == '/' || (head_.method == "OPTIONS" && head_.path == "*"));
}

Http2HeadBuilder::Verdict Http2HeadBuilder::Finish() {
  head_ = {};
  fields_.clear();
  const std::string_view bytes = bytes_;
  for (const Span& span : spans_) {
    const std::string_view name = bytes.substr(span.name_begin, span.name_size);
    const std::string_view value = bytes.substr(span.value_begin, span.value_size);
    if (name[0] != ':') {
      fields_.push_back({name, value});
    } else if (name == ":method") {
      head_.method = value;
    } else if (name == ":path") {
      head_.path = value;
    } else if (name == ":scheme") {
      head_.scheme = value;
    } else {
      head_.authority = value;
    }
  }
  head_.fields = fields_;
  head_.is_too_large = is_too_large_;
  return is_malformed_ || !IsComplete() ? Verdict::kMalformed : Verdict::kFine;
}

}  // namespace pt::wire
