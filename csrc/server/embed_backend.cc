#include "server/embed_backend.h"

#include <exception>
#include <vector>

#include "server/embed_request.h"

namespace pt::server {
namespace {

// The host promised not to throw. If it does, the batch fails with the reason instead of the
// process.
Status CallHost(const pytriton::Callable& callable, pytriton::Batch* batch) {
  try {
    callable(*batch);
    return {};
  } catch (const std::exception& error) {
    return Internal(std::string("the callable threw an exception: ") + error.what());
  } catch (...) {
    return Internal("the callable threw an exception of unknown type");
  }
}

class EmbedInstance final : public BackendInstance {
 public:
  EmbedInstance(const pytriton::Callable* callable, BlockPool* pool)
      : callable_(callable), pool_(pool) {}

  void Execute(Batch* batch, ExecutionTimes* times) override {
    const size_t count = batch->requests.size();
    while (requests_.size() < count) requests_.push_back(std::make_unique<EmbedRequest>());
    shown_.clear();
    for (size_t i = 0; i < count; ++i) {
      requests_[i]->Begin(batch->requests[i].get(), pool_);
      shown_.push_back(requests_[i].get());
    }
    times->input_end = std::chrono::steady_clock::now();
    const Status called = CallHost(*callable_, &shown_);
    times->infer_end = std::chrono::steady_clock::now();
    for (size_t i = 0; i < count; ++i) {
      if (!called.ok()) requests_[i]->Fail(called.message());
      batch->responses[i] = requests_[i]->Finish();
    }
  }

 private:
  const pytriton::Callable* const callable_;
  BlockPool* const pool_;
  std::vector<std::unique_ptr<EmbedRequest>> requests_;  // kept for the next batch
  pytriton::Batch shown_;
};

}  // namespace

Result<std::unique_ptr<BackendInstance>> EmbedBackend::CreateInstance(int ordinal) {
  std::unique_ptr<BackendInstance> instance = std::make_unique<EmbedInstance>(&callable_, &pool_);
  return instance;
}

}  // namespace pt::server
