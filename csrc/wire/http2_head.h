// Http2HeadBuilder: collects the fields of one request's head, bounded, in memory that is used
// again, and sees to it that they are well-formed (RFC 9113 8.2 and 8.3).
//
// Thread rule: belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pt::wire {

struct Http2Field {
  std::string_view name;  // lower case
  std::string_view value;
};

// Fields that belong to an HTTP/1 connection, not to a message: no message has them (8.2.2).
bool IsConnectionField(std::string_view name);

// A request's head. Views are valid during OnRequest.
struct Http2Head {
  std::string_view method;
  std::string_view path;
  std::string_view scheme;
  std::string_view authority;
  std::span<const Http2Field> fields;  // all but the pseudo fields above
  bool has_body = false;               // DATA may follow; OnEnd will
  bool is_too_large = false;           // `fields` is cut: more than max_header_bytes came
};

class Http2HeadBuilder {
 public:
  // What became of a field, or of a head.
  enum class Verdict {
    kFine,
    kMalformed,  // not to be answered: the stream is reset (8.1.1)
    kFlood,      // so far over the limit that it is an attack
  };

  // `max_size`: of all fields, counted as RFC 9113 6.5.2 does.
  explicit Http2HeadBuilder(size_t max_size) : max_size_(max_size) {}

  void Begin();
  // Once kMalformed, always so until Begin. What is cut is not looked at.
  Verdict Add(std::string_view name, std::string_view value);
  // After the last field: kFine or kMalformed.
  Verdict Finish();

  // After Finish; views are valid until the next Begin.
  const Http2Head& head() const { return head_; }
  // Whether it may be read as trailers instead (8.1).
  bool are_trailers() const { return !is_malformed_ && pseudo_ == 0; }
  // Which the body must have, if the client said so.
  std::optional<uint64_t> content_length() const { return content_length_; }

 private:
  struct Span {
    uint32_t name_begin, name_size, value_begin, value_size;
  };

  bool IsWellFormed(std::string_view name, std::string_view value);
  bool IsPseudoFine(std::string_view name, std::string_view value);
  bool TakeContentLength(std::string_view value);
  bool IsComplete() const;

  const size_t max_size_;
  std::string bytes_;
  std::vector<Span> spans_;
  std::vector<Http2Field> fields_;
  size_t size_ = 0;
  uint8_t pseudo_ = 0;         // which pseudo fields came, a bit each
  bool is_in_fields_ = false;  // a field that is no pseudo field came
  bool is_too_large_ = false;
  bool is_malformed_ = false;
  std::optional<uint64_t> content_length_;
  Http2Head head_;
};

}  // namespace pt::wire
