// JsonDocument and JsonValue: reads one JSON text and gives typed access to it; every error tells
// the path to the fault ("$.inputs[0].shape"). The texts are those of Triton
// (spec/triton-frontend 1.4).
//
// Accepted is what Triton accepts: strict JSON, and NaN, Infinity, Inf with an optional minus, a
// byte order mark, bytes that are not UTF-8. simdjson reads the text; what it refuses goes to
// JsonScanner, which knows the extensions and finds the reason. Both write the same tape
// (simdjson's doc/tape.md), and JsonValue is a position on it.
//
// Thread rule: a document belongs to one thread at a time; its values are values.
// Owner rule: values and the string views they give borrow from the document, until its next Parse.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace pt::wire {

enum class JsonType { kNull, kBool, kInt, kUint, kDouble, kString, kArray, kObject };

// What JsonValue points into.
struct JsonTape {
  const uint64_t* words = nullptr;
  const uint8_t* strings = nullptr;
};

class JsonMembers;
class JsonElements;

class JsonValue {
 public:
  JsonValue() = default;  // no value: what Find gives for an absent member
  JsonValue(JsonTape tape, size_t index) : tape_(tape), index_(index) {}

  explicit operator bool() const { return tape_.words != nullptr; }
  JsonType type() const;  // kInt: fits int64; kUint: only uint64
  bool is_null() const { return type() == JsonType::kNull; }
  bool is_string() const { return type() == JsonType::kString; }
  bool is_array() const { return type() == JsonType::kArray; }
  bool is_object() const { return type() == JsonType::kObject; }

  // The value as that type. Errors: InvalidArgument "attempt to access JSON non-string as string,
  // at
  // $.inputs[0].name", also for an integer that does not fit. Any number is a double.
  Result<std::string_view> AsString() const;
  Result<bool> AsBool() const;
  Result<int64_t> AsInt64() const;
  Result<uint64_t> AsUint64() const;
  Result<double> AsDouble() const;

  // The first member of that name; no value when absent. Errors by the caller (an object is
  // required).
  JsonValue Find(std::string_view key) const;
  // Empty when this is no object, or no array.
  JsonMembers members() const;
  JsonElements elements() const;

  // The unchecked forms, for loops that have looked at type(). REQUIRES: that type.
  std::string_view string_unchecked() const;
  int64_t int_unchecked() const { return static_cast<int64_t>(tape_.words[index_ + 1]); }
  uint64_t uint_unchecked() const { return tape_.words[index_ + 1]; }
  double double_unchecked() const;
  bool bool_unchecked() const { return Tag() == 't'; }

  // Where this value stands: "$.inputs[0].shape".
  std::string Path() const;
  // InvalidArgument: `message` and the path.
  Status ErrorHere(std::string_view message) const;

 private:
  friend class JsonMembers;
  friend class JsonElements;
  friend class JsonLeaves;
  char Tag() const { return static_cast<char>(tape_.words[index_] >> 56); }
  size_t End() const;  // index of what follows on the tape

  JsonTape tape_;
  size_t index_ = 0;
};

struct JsonMember {
  std::string_view key;
  JsonValue value;
};

// for (JsonMember member : object.members())
class JsonMembers {
 public:
  class Iterator {
   public:
    Iterator(JsonTape tape, size_t index) : tape_(tape), index_(index) {}
    JsonMember operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    JsonTape tape_;
    size_t index_;
  };
  JsonMembers(Iterator first, Iterator last) : first_(first), last_(last) {}
  Iterator begin() const { return first_; }
  Iterator end() const { return last_; }

 private:
  Iterator first_, last_;
};

// for (JsonValue element : array.elements())
class JsonElements {
 public:
  class Iterator {
   public:
    Iterator(JsonTape tape, size_t index) : tape_(tape), index_(index) {}
    JsonValue operator*() const { return {tape_, index_}; }
    Iterator& operator++() {
      index_ = JsonValue(tape_, index_).End();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return index_ != other.index_; }

   private:
    JsonTape tape_;
    size_t index_;
  };
  JsonElements(Iterator first, Iterator last) : first_(first), last_(last) {}
  Iterator begin() const { return first_; }
  Iterator end() const { return last_; }

 private:
  Iterator first_, last_;
};

// The leaves of nested arrays in order, as if they were one flat array; an object counts as a leaf,
// and a value that is no array is its own only leaf.
class JsonLeaves {
 public:
  explicit JsonLeaves(JsonValue value)
      : tape_(value.tape_), index_(value.index_), end_(value.End()) {}
  bool Next(JsonValue* leaf);

 private:
  JsonTape tape_;
  size_t index_;
  size_t end_;
};

class JsonDocument {
 public:
  // `max_depth`: containers inside each other at most.
  explicit JsonDocument(int max_depth);
  ~JsonDocument();
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  // Reads `text`, which is copied. Errors: InvalidArgument with reason, byte offset and path;
  // Unavailable without memory. After an error there is no root.
  Status Parse(std::string_view text);
  JsonValue root() const;
  // What the document keeps for the next Parse, about.
  size_t kept_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// "Unable to parse 'KEY': " before the message of a failed access.
Status UnableToParse(std::string_view key, const Status& status);
// "$.inputs[0]" + key -> "$.inputs[0].key"; a key that is no plain name is quoted.
void AppendPathKey(std::string_view key, std::string* path);

// --- Hot accessors, inline.

inline JsonType JsonValue::type() const {
  switch (Tag()) {
    case 'l':
      return JsonType::kInt;
    case 'd':
      return JsonType::kDouble;
    case '"':
      return JsonType::kString;
    case '[':
      return JsonType::kArray;
    case '{':
      return JsonType::kObject;
    case 't':
    case 'f':
      return JsonType::kBool;
    case 'u':
      return JsonType::kUint;
    default:
      return JsonType::kNull;
  }
}

inline size_t JsonValue::End() const {
  switch (Tag()) {
    case '[':
    case '{':
      return static_cast<uint32_t>(tape_.words[index_]);  // the word after the closing bracket
    case 'l':
    case 'u':
    case 'd':
      return index_ + 2;
    default:
      return index_ + 1;
  }
}

inline bool JsonLeaves::Next(JsonValue* leaf) {
  while (index_ < end_) {
    const JsonValue value(tape_, index_);
    const char tag = value.Tag();
    if (tag == '[' || tag == ']') {
      ++index_;
      continue;
    }
    index_ = value.End();
    *leaf = value;
    return true;
  }
  return false;
}

}  // namespace pt::wire
