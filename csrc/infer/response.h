// InferResponse and Responder: how answers leave a model.
//
// A Responder belongs to one request. Send may be called any number of times by a decoupled model
// and exactly once otherwise; the last call says kFinal, and there is exactly one such call: the
// request that owns it sees to that, also when it is dropped.
//
// Thread rule: Send from one thread at a time (any thread); Cancel, is_cancelled and OnCancel from
// any. Owner rule: counted; the connection and the request both hold it.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "base/block.h"
#include "base/cells.h"
#include "base/mutex.h"
#include "base/ref_counted.h"
#include "base/status.h"
#include "infer/parameter.h"
#include "tensor/tensor.h"

namespace pt {

struct OutputTensor {
  int index = 0;  // into ModelConfig::outputs
  TensorView tensor;
};
using OutputTensors = std::vector<OutputTensor, CellAllocator<OutputTensor>>;

struct InferResponse {
  Status status;          // not OK: outputs are empty
  OutputTensors outputs;  // in the order the model produced them
  Parameters parameters;
};

enum class Finality { kMore, kFinal };

class Responder : public RefCounted {
 public:
  // Delivers one response to the client; drops it silently when the client is gone.
  // A response without outputs and with OK status under kFinal ends a decoupled request.
  virtual void Send(InferResponse&& response, Finality finality) = 0;

  bool is_cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  // The client left or cancelled. Idempotent. Runs the observer, if one is set.
  void Cancel() EXCLUDES(mu_);
  // Sets the observer (empty: removes it and returns after one that is running has ended). Runs at
  // once when already cancelled. The observer must be short and must not call back into this
  // object.
  void OnCancel(std::function<void()> observer) EXCLUDES(mu_);

 private:
  std::atomic<bool> cancelled_{false};
  Mutex mu_;
  std::function<void()> observer_ GUARDED_BY(mu_);
};

}  // namespace pt
