#include "wire/grpc_frame.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "wire/http2_frame.h"

namespace pt::wire {
namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr size_t kMaxTimeoutDigits = 8;
constexpr char kHexDigits[] = "0123456789ABCDEF";

int64_t NanosecondsPerUnit(char unit) {
  switch (unit) {
    case 'H':
      return int64_t{3600} * 1000 * 1000 * 1000;
    case 'M':
      return int64_t{60} * 1000 * 1000 * 1000;
    case 'S':
      return int64_t{1000} * 1000 * 1000;
    case 'm':
      return int64_t{1000} * 1000;
    case 'u':
      return 1000;
    case 'n':
      return 1;
    default:
      return 0;
  }
}

bool IsPlain(char c) { return c >= ' ' && c <= '~' && c != '%'; }

// Where the UTF-8 character that begins at `begin` ends (stray continuation bytes stand alone).
size_t CharacterEnd(std::string_view text, size_t begin) {
  size_t end = begin + 1;
  while (end < text.size() && end < begin + 4 &&
         (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    ++end;
  }
  return end;
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::array<char, kGrpcPrefixSize> GrpcPrefix(uint32_t size, bool is_compressed) {
  return {static_cast<char>(is_compressed ? 1 : 0), static_cast<char>(size >> 24),
          static_cast<char>(size >> 16), static_cast<char>(size >> 8), static_cast<char>(size)};
}

void GrpcDeframer::SkipBody(uint32_t count) {
  left_ -= count;
  if (left_ == 0) state_ = State::kEnd;
}

GrpcPiece GrpcDeframer::Next(std::string_view* chunk) {
  switch (state_) {
    case State::kPrefix:
      return Begin(chunk);
    case State::kBody: {
      GrpcPiece piece;
      if (chunk->empty()) return piece;
      piece.kind = GrpcPiece::Kind::kPart;
      piece.bytes = chunk->substr(0, left_);
      chunk->remove_prefix(piece.bytes.size());
      SkipBody(static_cast<uint32_t>(piece.bytes.size()));
      return piece;
    }
    case State::kEnd: {
      state_ = State::kPrefix;
      GrpcPiece piece;
      piece.kind = GrpcPiece::Kind::kEnd;
      piece.is_compressed = is_compressed_;
      return piece;
    }
    case State::kBad:
      break;
  }
  GrpcPiece bad;
  bad.kind = GrpcPiece::Kind::kBad;
  return bad;
}

GrpcPiece GrpcDeframer::Begin(std::string_view* chunk) {
  GrpcPiece piece;
  const size_t count = std::min(kGrpcPrefixSize - prefix_size_, chunk->size());
  if (count != 0) std::memcpy(prefix_.data() + prefix_size_, chunk->data(), count);
  prefix_size_ += static_cast<uint8_t>(count);
  chunk->remove_prefix(count);
  if (prefix_size_ < kGrpcPrefixSize) return piece;

  if (prefix_[0] != 0 && prefix_[0] != 1) {
    state_ = State::kBad;
    return Next(chunk);
  }
  prefix_size_ = 0;
  is_compressed_ = prefix_[0] == 1;
  piece.is_compressed = is_compressed_;
  piece.size = ReadBig32(prefix_.data() + 1);
  if (chunk->size() >= piece.size) {
    piece.kind = GrpcPiece::Kind::kWhole;
    piece.bytes = chunk->substr(0, piece.size);
    chunk->remove_prefix(piece.size);
  } else {
    piece.kind = GrpcPiece::Kind::kBegin;
    left_ = piece.size;
    state_ = State::kBody;
  }
  return piece;
}

std::optional<Duration> ParseGrpcTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kMaxTimeoutDigits + 1) return std::nullopt;
  const int64_t unit = NanosecondsPerUnit(text.back());
  if (unit == 0) return std::nullopt;
  text.remove_suffix(1);
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  // 99999999 hours are more nanoseconds than 63 bits hold; nobody lives to see the difference.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
  return Duration(value > kMost / unit ? kMost : value * unit);
}

std::string EncodeGrpcMessage(std::string_view text, size_t max_size) {
  std::string out;
  out.reserve(std::min(text.size(), max_size));
  size_t i = 0;
  while (i < text.size()) {
    const size_t end = CharacterEnd(text, i);
    size_t needed = 0;
    for (size_t k = i; k < end; ++k) needed += IsPlain(text[k]) ? 1 : 3;
    if (out.size() + needed > max_size) break;
    for (; i < end; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (IsPlain(text[i])) {
        out.push_back(text[i]);
      } else {
        out.push_back('%');
        out.push_back(kHexDigits[byte >> 4]);
        out.push_back(kHexDigits[byte & 15]);
      }
    }
  }
  return out;
}

bool IsGrpcContentType(std::string_view content_type) {
  if (content_type.substr(0, kContentType.size()) != kContentType) return false;
  if (content_type.size() == kContentType.size()) return true;
  const char next = content_type[kContentType.size()];
  return next == '+' || next == ';' || next == ' ';
}

std::optional<ContentCoding> ParseGrpcEncoding(std::string_view name) {
  Result<ContentCoding> coding = ParseContentCoding(name);
  if (!coding.ok()) return std::nullopt;
  return *coding;
}

ContentCoding ChooseGrpcEncoding(std::string_view accepted) {
  ContentCoding best = ContentCoding::kIdentity;
  while (!accepted.empty()) {
    const size_t comma = accepted.find(',');
    const std::string_view name = TrimBlanks(accepted.substr(0, comma));
    if (name == "gzip") return ContentCoding::kGzip;
    if (name == "deflate") best = ContentCoding::kDeflate;
    if (comma == std::string_view::npos) break;
    accepted.remove_prefix(comma + 1);
  }
  return best;
}

}  // namespace pt::wire
