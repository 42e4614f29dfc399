// Workload: the tensors of a run, the request that carries them, and the right answer's tensors.
//
// Inputs A and B are fixed pseudo-random floats; the outputs must be A+B and A-B bit for bit. Or,
// with --identity, there is A alone, which must come back.
// Immutable after creation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/message.h"
#include "load/options.h"

namespace pt::load {

// One tensor: its name, and the block that its bytes repeat.
struct PlannedTensor {
  std::string name;
  std::string block;
};

class Workload {
 public:
  explicit Workload(const Options& options);

  const std::vector<PlannedTensor>& inputs() const { return inputs_; }
  const std::vector<PlannedTensor>& outputs() const { return outputs_; }
  int64_t rows() const { return rows_; }
  int64_t elements() const { return elements_; }
  size_t tensor_bytes() const { return static_cast<size_t>(rows_ * elements_) * sizeof(float); }

 private:
  std::vector<PlannedTensor> inputs_;
  std::vector<PlannedTensor> outputs_;
  int64_t rows_;
  int64_t elements_;
};

// The whole HTTP request (head, JSON, tensors) for http and raw; for gRPC the length-prefixed
// ModelInferRequest. Borrows the workload's blocks.
Message BuildRequest(const Options& options, const Workload& workload);

}  // namespace pt::load
