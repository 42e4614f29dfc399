// SageMakerModels: the multi-model routes of the SageMaker port (spec/triton-frontend 1.15):
// GET /models, POST /models, GET, DELETE /models/NAME, POST /models/NAME/invoke. A model is loaded
// from the directory that its caller names, which must lie where SageMaker puts models.
//
// Thread rule: thread-safe; Handle on any loop, answers come later from the thread that loads.
// Owner rule: owned by the RestService; outlives the calls it answers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "api/http_call.h"
#include "api/service.h"
#include "base/block.h"
#include "base/mutex.h"

namespace pt::api {

// The name in /models/NAME/invoke; empty for any other path.
std::string_view InvokedModel(std::string_view path);

class SageMakerModels {
 public:
  explicit SageMakerModels(const Service* service)
      : service_(service), state_(std::make_shared<State>()) {}

  // False when the call is none of these routes.
  bool Handle(const HttpRequestHead& head, const Slice& body, const RefPtr<HttpReplySink>& sink);
  bool Has(std::string_view name) const;

 private:
  struct Place {
    std::string url;
    bool is_loading = false;
  };
  // Shared with loads under way.
  struct State {
    mutable Mutex mu;
    std::map<std::string, Place, std::less<>> urls GUARDED_BY(mu);  // by model
  };

  void List(HttpReplySink* sink) const;
  void Describe(std::string_view name, HttpReplySink* sink) const;
  void Load(const Slice& body, const RefPtr<HttpReplySink>& sink);
  void Unload(std::string_view name, const RefPtr<HttpReplySink>& sink);

  const Service* const service_;
  const std::shared_ptr<State> state_;
};

}  // namespace pt::api
