// RestInferResponder: turns the response of a model into the answer of an infer call
// (spec/triton-frontend 1.10, 2.3): JSON, and the binary part behind it.
//
// Thread rule: as for Responder. Owner rule: the request and the connection hold it; it borrows the
// model, which the request pins until the answer was sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/http_call.h"
#include "api/region_use.h"
#include "infer/model.h"
#include "infer/response.h"
#include "wire/content_coding.h"
#include "wire/json_writer.h"

namespace pt::api {

// How the client wants one output.
struct OutputWish {
  int index = 0;  // into ModelConfig::outputs
  bool is_binary = false;
  uint64_t classes = 0;
  RegionTarget region;  // with a region: there the bytes go, not into the answer
};

struct InferReplyPlan {
  const Model* model = nullptr;
  BlockPool* pool = nullptr;
  std::string id;
  std::vector<OutputWish> outputs;  // empty: all
  bool wants_binary = false;        // of outputs that are not listed
  wire::ContentCoding coding = wire::ContentCoding::kIdentity;
};

class RestInferResponder final : public Responder {
 public:
  RestInferResponder(InferReplyPlan plan, RefPtr<HttpReplySink> sink)
      : plan_(std::move(plan)), sink_(std::move(sink)) {}

  void Send(InferResponse&& response, Finality finality) override;

 private:
  const InferReplyPlan plan_;
  RefPtr<HttpReplySink> sink_;  // null once answered
};

// Writes "KEY":VALUE of a parameter.
void WriteParameter(std::string_view key, const ParameterValue& value, wire::JsonWriter* writer);

}  // namespace pt::api
