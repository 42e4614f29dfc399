// EmbedRequest: one request of a batch as a C++ host's callable sees it (pytriton::Request).
//
// Thread rule: belongs to the instance's thread. Owner rule: borrows the request it was given with
// Begin until Finish; the instance keeps EmbedRequests and uses them again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/block.h"
#include "infer/request.h"
#include "pytriton/server.h"

namespace pt::server {

class EmbedRequest final : public pytriton::Request {
 public:
  // Shows `request`; outputs will come from `pool`.
  void Begin(const InferRequest* request, BlockPool* pool);
  // What the callable made of it: the outputs that the client wants, or the reason why there are
  // none.
  InferResponse Finish();

  std::string_view id() const override { return request_->id; }
  const std::vector<pytriton::TensorView>& inputs() const override { return inputs_; }
  bool cancelled() const override { return request_->is_cancelled(); }
  void* AddOutput(std::string_view name, const std::vector<int64_t>& shape,
                  size_t byte_size) override;
  void Fail(const std::string& message) override;

 private:
  Status TryAddOutput(std::string_view name, const std::vector<int64_t>& shape, size_t byte_size);
  Status CheckComplete() const;

  const InferRequest* request_ = nullptr;
  BlockPool* pool_ = nullptr;
  std::vector<pytriton::TensorView> inputs_;
  OutputTensors outputs_;
  Status failure_;  // the first one
};

}  // namespace pt::server
