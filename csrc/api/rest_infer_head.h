// InferHead: the JSON part of an infer request, read and checked as far as it goes without the
// model (spec/triton-frontend 1.10, 2.1, 2.3, 2.6). Not the tensor data: JSON data stays in the
// document.
//
// A head remembers its text: a client that sends the same head again (tensor bytes being binary) is
// not read again. InferHeadPool keeps a few. Thread rule: a head belongs to one thread at a time;
// the pool is thread-safe. Owner rule: all views borrow from the head, until its next Read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/region_use.h"
#include "base/mutex.h"
#include "base/status.h"
#include "infer/parameter.h"
#include "infer/request.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "wire/json_reader.h"

namespace pt::api {

struct HeadInput {
  std::string_view name;
  DataType type = DataType::kInvalid;
  std::string_view type_name;
  Shape shape;
  RegionWish region;         // given: there the data is
  int64_t binary_size = -1;  // -1: the data is JSON
  wire::JsonValue data;
};

struct HeadOutput {
  std::string_view name;
  bool is_binary = false;
  uint64_t classes = 0;  // 0: no classification
  RegionWish region;     // given: there the data goes
};

class InferHead {
 public:
  explicit InferHead(int max_json_depth) : document_(max_json_depth) {}

  // Errors: InvalidArgument with Triton's text and the path to the fault. Nothing of the head may
  // be used then.
  Status Read(std::string_view text);
  bool IsOf(std::string_view text) const { return is_valid_ && text_ == text; }

  std::string_view id;
  std::vector<HeadInput> inputs;
  std::vector<HeadOutput> outputs;  // empty: all
  bool wants_binary = false;        // `binary_data_output`: when no outputs are listed
  uint32_t priority = 0;
  CorrelationId correlation_id;
  uint32_t sequence_flags = 0;
  uint64_t timeout_us = 0;
  Parameters parameters;  // the custom ones

  size_t kept_bytes() const { return document_.kept_bytes() + text_.capacity(); }

 private:
  void Reset();
  Status ReadRoot(wire::JsonValue root);
  Status ReadParameters(wire::JsonValue parameters);
  Status ReadParameter(std::string_view key, wire::JsonValue value);
  Status ReadInput(wire::JsonValue input);
  Status ReadSource(wire::JsonValue input, HeadInput* to);
  Status ReadOutput(wire::JsonValue output);

  wire::JsonDocument document_;
  std::string text_;
  bool is_valid_ = false;
};

class InferHeadPool {
 public:
  explicit InferHeadPool(int max_json_depth) : max_json_depth_(max_json_depth) {}

  // A head to read `text` with; one that has read the same text, if there is one.
  std::unique_ptr<InferHead> Take(std::string_view text) EXCLUDES(mu_);
  // Keeps the head for the next Take, unless it grew large.
  void Return(std::unique_ptr<InferHead> head) EXCLUDES(mu_);

 private:
  const int max_json_depth_;
  Mutex mu_;
  std::vector<std::unique_ptr<InferHead>> heads_ GUARDED_BY(mu_);  // the last used one last
};

// Reads one custom parameter: string, integer, boolean or number.
// Errors: InvalidArgument "parameter 'K' has invalid type. ...".
Result<ParameterValue> ReadCustomParameter(std::string_view key, wire::JsonValue value);

}  // namespace pt::api
