#include "wire/json_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "wire/json_scanner.h"

namespace pt::wire {
namespace {

constexpr uint64_t kPayload = 0x00FFFFFFFFFFFFFF;
constexpr size_t kMinCapacity = 64;
constexpr size_t kMaxKeyInPath = 64;  // an error text is no place for a megabyte of key
// Bytes that the parser and its document hold for each byte of text: copy, structurals, tape,
// strings.
constexpr size_t kBytesPerByte = 15;

std::string_view StringAt(JsonTape tape, size_t index) {
  const uint8_t* bytes = tape.strings + (tape.words[index] & kPayload);
  uint32_t length = 0;
  std::memcpy(&length, bytes, sizeof(length));
  return {reinterpret_cast<const char*>(bytes + sizeof(length)), length};
}

Status NotA(const JsonValue& value, std::string_view kind) {
  std::string message = "attempt to access JSON non-";
  message.append(kind).append(" as ").append(kind);
  return value.ErrorHere(message);
}

bool IsPlainName(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

}  // namespace

// --- JsonValue

std::string_view JsonValue::string_unchecked() const { return StringAt(tape_, index_); }

double JsonValue::double_unchecked() const {
  double value = 0;
  std::memcpy(&value, &tape_.words[index_ + 1], sizeof(value));
  return value;
}

Result<std::string_view> JsonValue::AsString() const {
  if (!is_string()) return NotA(*this, "string");
  return string_unchecked();
}

Result<bool> JsonValue::AsBool() const {
  if (type() != JsonType::kBool) return NotA(*this, "boolean");
  return bool_unchecked();
}

Result<int64_t> JsonValue::AsInt64() const {
  if (type() != JsonType::kInt) return NotA(*this, "signed-integer");
  return int_unchecked();
}

Result<uint64_t> JsonValue::AsUint64() const {
  const JsonType kind = type();
  const bool is_natural =
      kind == JsonType::kUint || (kind == JsonType::kInt && int_unchecked() >= 0);
  if (!is_natural) return NotA(*this, "unsigned-integer");
  return uint_unchecked();
}

Result<double> JsonValue::AsDouble() const {
  switch (type()) {
    case JsonType::kDouble:
      return double_unchecked();
    case JsonType::kInt:
      return static_cast<double>(int_unchecked());
    case JsonType::kUint:
      return static_cast<double>(uint_unchecked());
    default:
      return ErrorHere("attempt to access JSON non-number as double");
  }
}

JsonMembers JsonValue::members() const {
  if (!is_object()) return {{tape_, 0}, {tape_, 0}};
  return {{tape_, index_ + 1}, {tape_, End() - 1}};
}

JsonElements JsonValue::elements() const {
  if (!is_array()) return {{tape_, 0}, {tape_, 0}};
  return {{tape_, index_ + 1}, {tape_, End() - 1}};
}

JsonValue JsonValue::Find(std::string_view key) const {
  for (const JsonMember member : members()) {
    if (member.key == key) return member.value;
  }
  return {};
}

// Walks down from the root to this place: only errors pay for paths.
std::string JsonValue::Path() const {
  std::string path = "$";
  JsonValue here(tape_, 1);
  while (here.index_ != index_) {
    JsonValue next;
    if (here.is_array()) {
      size_t ordinal = 0;
      for (const JsonValue element : here.elements()) {
        next = element;
        if (index_ < element.End()) break;
        ++ordinal;
      }
      path.append("[").append(std::to_string(ordinal)).append("]");
    } else {
      std::string_view key;
      for (const JsonMember member : here.members()) {
        next = member.value;
        key = member.key;
        if (index_ < member.value.End()) break;
      }
      AppendPathKey(key, &path);
    }
    if (!next) break;
    here = next;
  }
  return path;
}

Status JsonValue::ErrorHere(std::string_view message) const {
  return InvalidArgument(std::string(message).append(", at ").append(Path()));
}

// --- JsonMembers

JsonMember JsonMembers::Iterator::operator*() const {
  return {StringAt(tape_, index_), JsonValue(tape_, index_ + 1)};
}

JsonMembers::Iterator& JsonMembers::Iterator::operator++() {
  index_ = JsonValue(tape_, index_ + 1).End();
  return *this;
}

// --- JsonDocument

struct JsonDocument::Impl {
  explicit Impl(int depth) : max_depth(depth) {}
  simdjson::dom::parser parser;
  const int max_depth;
  bool is_valid = false;
};

JsonDocument::JsonDocument(int max_depth) : impl_(std::make_unique<Impl>(max_depth)) {}
JsonDocument::~JsonDocument() = default;

Status JsonDocument::Parse(std::string_view text) {
  Impl& impl = *impl_;
  impl.is_valid = false;
  // The tape counts in 32 bits.
  if (text.size() > std::numeric_limits<uint32_t>::max() / 4) {
    return {Code::kTooLarge, "JSON text of " + std::to_string(text.size()) + " bytes is too large"};
  }
  simdjson::dom::parser& parser = impl.parser;
  const size_t capacity = std::max(text.size(), kMinCapacity);
  if (parser.capacity() < capacity) {
    const size_t depth = static_cast<size_t>(impl.max_depth);
    if (parser.allocate(capacity, depth) != simdjson::SUCCESS) {
      return Unavailable("no memory to read " + std::to_string(text.size()) + " bytes of JSON");
    }
  }
  if (parser.parse(text.data(), text.size(), true).error() == simdjson::SUCCESS) {
    impl.is_valid = true;
    return {};
  }
  simdjson::dom::document& document = parser.doc;
  if (document.capacity() < capacity && document.allocate(capacity) != simdjson::SUCCESS) {
    return Unavailable("no memory to read " + std::to_string(text.size()) + " bytes of JSON");
  }
  PT_RETURN_IF_ERROR(
      JsonScanner(text, impl.max_depth, document.tape.get(), document.string_buf.get()).Scan());
  impl.is_valid = true;
  return {};
}

JsonValue JsonDocument::root() const {
  if (!impl_->is_valid) return {};
  const simdjson::dom::document& document = impl_->parser.doc;
  return {{document.tape.get(), document.string_buf.get()}, 1};
}

size_t JsonDocument::kept_bytes() const { return impl_->parser.capacity() * kBytesPerByte; }

// --- Texts

Status UnableToParse(std::string_view key, const Status& status) {
  std::string message = "Unable to parse '";
  message.append(key).append("': ").append(status.message());
  return {status.code(), std::move(message)};
}

void AppendPathKey(std::string_view key, std::string* path) {
  const std::string_view shown = key.substr(0, kMaxKeyInPath);
  if (IsPlainName(shown)) {
    path->append(".").append(shown);
  } else {
    path->append("['").append(shown).append("']");
  }
}

}  // namespace pt::wire
