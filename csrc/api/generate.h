// GenerateResponder: answers generate and generate_stream (spec/triton-frontend 1.12): each
// response of the model becomes one JSON object, alone or as a server-sent event.
//
// Thread rule: as for Responder. Owner rule: as for RestInferResponder.
#pragma once

#include <string>

#include "api/http_call.h"
#include "base/mutex.h"
#include "infer/model.h"
#include "infer/response.h"

namespace pt::api {

enum class GenerateMode { kOne, kStream };

class GenerateResponder final : public Responder {
 public:
  GenerateResponder(const Model* model, BlockPool* pool, std::string id, GenerateMode mode,
                    RefPtr<HttpReplySink> sink)
      : model_(model), pool_(pool), id_(std::move(id)), mode_(mode), sink_(std::move(sink)) {}

  void Send(InferResponse&& response, Finality finality) override;

 private:
  void SendStream(InferResponse&& response, Finality finality);
  void SendOne(InferResponse&& response, Finality finality);
  Result<Slice> Encode(const InferResponse& response) const;
  Slice ErrorEvent(const Status& status) const;
  void BeginStream(int status);

  const Model* const model_;
  BlockPool* const pool_;
  const std::string id_;
  const GenerateMode mode_;
  RefPtr<HttpReplySink> sink_;  // null once answered: the sink may hold this responder
  bool has_begun_ = false;      // stream: the head was sent
  int responses_ = 0;           // one: how many came
  Status status_;               // one: of the only response
  Slice only_;                  // one: its object
};

}  // namespace pt::api
