// Http2HeadBuilder: collects the fields of one request's head, bounded, in memory that is used
// again.
//
// Thread rule: belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pt::wire {

struct Http2Field {
  std::string_view name;  // lower case
  std::string_view value;
};

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
  // `max_size`: of all fields, counted as RFC 9113 6.5.2 does.
  explicit Http2HeadBuilder(size_t max_size) : max_size_(max_size) {}

  void Begin();
  // False: so far over the limit that it is an attack.
  bool Add(std::string_view name, std::string_view value);
  // Views are valid until the next Begin.
  Http2Head Finish(bool has_body);

 private:
  struct Span {
    uint32_t name_begin, name_size, value_begin, value_size;
  };

  const size_t max_size_;
  std::string bytes_;
  std::vector<Span> spans_;
  std::vector<Http2Field> fields_;
  size_t size_ = 0;
  bool is_too_large_ = false;
};

}  // namespace pt::wire
