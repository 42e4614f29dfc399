#include "wire/json_scanner.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>

#include "wire/json_reader.h"

namespace pt::wire {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr uint32_t kMaxCount = 0xFFFFFF;  // the tape's counts stop here

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

Status JsonScanner::Scan() {
  if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) at_ = kByteOrderMark.size();
  Blank();
  used_ = 1;  // the root word is written last
  if (at_ == text_.size()) {
    Fail("The document is empty.", at_);
    return std::move(error_);
  }
  Step step = Step::kValue;
  while (step != Step::kDone) step = step == Step::kValue ? Value() : AfterValue();
  if (!error_.ok()) return std::move(error_);
  tape_[used_] = uint64_t{'r'} << 56;
  tape_[0] = (uint64_t{'r'} << 56) | (used_ + 1);
  return {};
}

JsonScanner::Step JsonScanner::Value() {
  Blank();
  std::string_view content;
  bool ok = false;
  switch (Peek()) {
    case '{':
    case '[':
      return Open(text_[at_]);
    case '"':
      ok = String(&content);
      break;
    case 't':
      ok = Word("true", 't');
      break;
    case 'f':
      ok = Word("false", 'f');
      break;
    case 'n':
      ok = Word("null", 'n');
      break;
    default:
      ok = Number();
  }
  return ok ? Step::kAfterValue : Step::kDone;
}

JsonScanner::Step JsonScanner::AfterValue() {
  Blank();
  if (frames_.empty()) {
    if (at_ < text_.size()) {
      return Stop("The document root must not be followed by other values.", at_);
    }
    return Step::kDone;
  }
  Frame& frame = frames_.back();
  const char c = Peek();
  if (c == (frame.is_array ? ']' : '}')) return Close();
  if (c != ',') {
    return Stop(frame.is_array ? "Missing a comma or ] after an array element."
                               : "Missing a comma or '}' after an object member.",
                at_);
  }
  ++at_;
  ++frame.count;
  return frame.is_array ? Step::kValue : MemberName();
}

JsonScanner::Step JsonScanner::Open(char bracket) {
  if (static_cast<int>(frames_.size()) >= max_depth_) {
    error_ = InvalidArgument("JSON nesting depth exceeds maximum allowed limit (" +
                             std::to_string(max_depth_) + ")");
    return Step::kDone;
  }
  Frame frame;
  frame.start = used_++;  // the opening word is written by Close
  frame.is_array = bracket == '[';
  frames_.push_back(frame);
  ++at_;
  Blank();
  if (Peek() == (frame.is_array ? ']' : '}')) return Close();
  frames_.back().count = 1;
  return frame.is_array ? Step::kValue : MemberName();
}

JsonScanner::Step JsonScanner::Close() {
  const Frame frame = frames_.back();
  frames_.pop_back();
  ++at_;
  PutWord(frame.is_array ? ']' : '}', frame.start);
  const uint64_t count = std::min(frame.count, kMaxCount);
  tape_[frame.start] =
      (uint64_t{uint8_t(frame.is_array ? '[' : '{')} << 56) | (count << 32) | used_;
  return Step::kAfterValue;
}

JsonScanner::Step JsonScanner::MemberName() {
  Blank();
  if (Peek() != '"') return Stop("Missing a name for object member.", at_);
  if (!String(&frames_.back().key)) return Step::kDone;
  Blank();
  if (Peek() != ':') return Stop("Missing a colon after a name of object member.", at_);
  ++at_;
  return Step::kValue;
}

bool JsonScanner::Word(std::string_view word, char tag) {
  for (const char expected : word) {
    if (Peek() != expected) return Fail("Invalid value.", at_);
    ++at_;
  }
  PutWord(tag, 0);
  return true;
}

bool JsonScanner::Number() {
  const size_t first = at_;
  const bool is_negative = Peek() == '-';
  if (is_negative) ++at_;
  if (Peek() == 'N' || Peek() == 'I') return Special(is_negative);
  if (!IsDigit(Peek())) return Fail("Invalid value.", at_);
  return NumberBody(first);
}

bool JsonScanner::Special(bool is_negative) {
  const std::string_view rest = text_.substr(at_);
  double value = 0;
  if (rest.substr(0, 3) == "NaN") {
    at_ += 3;
    value = std::numeric_limits<double>::quiet_NaN();
  } else if (rest.substr(0, 3) == "Inf") {
    at_ += rest.substr(0, 8) == "Infinity" ? 8 : 3;
    value = std::numeric_limits<double>::infinity();
  } else {
    return Fail("Invalid value.", at_);
  }
  PutDouble(is_negative ? -value : value);
  return true;
}

bool JsonScanner::NumberBody(size_t first) {
  bool is_integer = true;
  if (Peek() == '0') {
    ++at_;  // a digit after it is no part of the number
  } else {
    while (IsDigit(Peek())) ++at_;
  }
  if (Peek() == '.') {
    is_integer = false;
    ++at_;
    if (!IsDigit(Peek())) return Fail("Miss fraction part in number.", at_);
    while (IsDigit(Peek())) ++at_;
  }
  if (Peek() == 'e' || Peek() == 'E') {
    is_integer = false;
    ++at_;
    if (Peek() == '+' || Peek() == '-') ++at_;
    if (!IsDigit(Peek())) return Fail("Miss exponent in number.", at_);
    while (IsDigit(Peek())) ++at_;
  }
  const char* const begin = text_.data() + first;
  const char* const end = text_.data() + at_;
  if (is_integer) {
    int64_t integer = 0;
    if (std::from_chars(begin, end, integer).ec == std::errc()) {
      PutWord('l', 0);
      tape_[used_++] = static_cast<uint64_t>(integer);
      return true;
    }
    uint64_t natural = 0;
    if (*begin != '-' && std::from_chars(begin, end, natural).ec == std::errc()) {
      PutWord('u', 0);
      tape_[used_++] = natural;
      return true;
    }
  }
  double value = 0;
  if (std::from_chars(begin, end, value).ec == std::errc::result_out_of_range) {
    // Too small is zero; too big is an error. from_chars does not tell which: strtod does.
    value = std::strtod(std::string(begin, end).c_str(), nullptr);
    if (std::isinf(value)) return Fail("Number too big to be stored in double.", first);
  }
  PutDouble(value);
  return true;
}

bool JsonScanner::String(std::string_view* content) {
  ++at_;
  const size_t start = strings_used_;
  strings_used_ += sizeof(uint32_t);
  while (true) {
    if (at_ >= text_.size()) return Fail("Missing a closing quotation mark in string.", at_);
    const char c = text_[at_];
    if (c == '"') break;
    if (static_cast<uint8_t>(c) < 0x20) {
      return Fail(
          c == '\0' ? "Missing a closing quotation mark in string." : "Invalid encoding in string.",
          at_);
    }
    if (c == '\\') {
      if (!Escape()) return false;
      continue;
    }
    strings_[strings_used_++] = static_cast<uint8_t>(c);
    ++at_;
  }
  ++at_;
  const uint32_t length = static_cast<uint32_t>(strings_used_ - start - sizeof(uint32_t));
  std::memcpy(strings_ + start, &length, sizeof(length));
  *content = {reinterpret_cast<const char*>(strings_ + start + sizeof(length)), length};
  strings_[strings_used_++] = 0;
  PutWord('"', start);
  return true;
}

bool JsonScanner::Escape() {
  const size_t backslash = at_++;
  const char c = Peek();
  if (c == 'u') {
    ++at_;
    return UnicodeEscape();
  }
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
  const size_t which = c == '\0' ? std::string_view::npos : kNames.find(c);
  if (which == std::string_view::npos) {
    return Fail("Invalid escape character in string.", backslash);
  }
  strings_[strings_used_++] = static_cast<uint8_t>(kBytes[which]);
  ++at_;
  return true;
}

bool JsonScanner::UnicodeEscape() {
  const size_t start = at_ - 2;
  uint32_t code = 0;
  if (!Hex4(&code)) return Fail("Incorrect hex digit after \\u escape in string.", start);
  if (code >= 0xD800 && code <= 0xDFFF) {
    uint32_t low = 0;
    const bool has_pair = code <= 0xDBFF && text_.substr(at_, 2) == "\\u";
    if (has_pair) at_ += 2;
    if (!has_pair || !Hex4(&low) || low < 0xDC00 || low > 0xDFFF) {
      return Fail("The surrogate pair in string is invalid.", start);
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  AppendUtf8(code);
  return true;
}

bool JsonScanner::Hex4(uint32_t* code) {
  if (text_.size() - at_ < 4) return false;
  const char* const begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, *code, 16);
  if (error != std::errc() || end != begin + 4) return false;
  at_ += 4;
  return true;
}

void JsonScanner::AppendUtf8(uint32_t code) {
  const auto put = [this](uint32_t byte) {
    strings_[strings_used_++] = static_cast<uint8_t>(byte);
  };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | (code >> 6));
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3F));
    put(0x80 | ((code >> 6) & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

void JsonScanner::Blank() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++at_;
  }
}

bool JsonScanner::Fail(const char* reason, size_t offset) {
  std::string message = "failed to parse the request JSON buffer: ";
  message.append(reason).append(" at ").append(std::to_string(offset));
  if (!frames_.empty()) message.append(", in ").append(Path());
  error_ = InvalidArgument(std::move(message));
  return false;
}

JsonScanner::Step JsonScanner::Stop(const char* reason, size_t offset) {
  Fail(reason, offset);
  return Step::kDone;
}

void JsonScanner::PutDouble(double value) {
  PutWord('d', 0);
  std::memcpy(&tape_[used_++], &value, sizeof(value));
}

std::string JsonScanner::Path() const {
  std::string path = "$";
  for (const Frame& frame : frames_) {
    if (frame.is_array) {
      path.append("[").append(std::to_string(frame.count == 0 ? 0 : frame.count - 1)).append("]");
    } else if (!frame.key.empty()) {
      AppendPathKey(frame.key, &path);
    }
  }
  return path;
}

}  // namespace pt::wire
