// PyModel: what all instances of one bound model share on the Python side.
//
// `binding` is the Python object that knows the rules of the callable's contract
// (pytriton/_binding.py); the core asks it only when something is out of the ordinary:
//   start_instance(ordinal)            on the instance's thread, before its first call
//   stop_instance(ordinal)             on the same thread, after its last call
//   convert_rows(result, rows)         -> {name: array}: checked, converted; or raises
//   convert_list(result, count)        -> [{name: array}]: the same for lists of responses
//   describe_error(error, ids, stream) -> text for the client, or (gRPC status, text); logs; stops
//                                         the server if it must
// Thread rule: constant after Create; every use of a PyRef needs the interpreter lock.
// Owner rule: owned by a capsule, because it must die under the interpreter lock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/block.h"
#include "bindings/native_types.h"
#include "bindings/py_ref.h"
#include "bindings/py_release.h"
#include "bindings/py_tensor.h"
#include "infer/backend.h"
#include "infer/model_config.h"
#include "tensor/cuda_on_demand.h"

namespace pt::bindings {

// How a callable is called; decided once (pytriton/_callables.py).
enum class CallForm {
  kArrays,    // fn(**inputs) for all requests of the batch at once
  kRequests,  // fn(requests) -> one result per request
  kStream,    // fn(requests, stream): answers through the stream, now or later
};

struct PyCallable {
  CallForm form = CallForm::kRequests;
  PyRef target;
  int device = -1;  // of the instance; -1: the host

  // Where this callable wants an input.
  int DeviceFor(const PyTensorSpec& input) const {
    return input.follows_instance ? device : input.device;
  }
};

struct PyModel {
  ModelConfig config;
  bool is_strict = false;
  std::vector<PyTensorSpec> inputs;
  std::vector<PyTensorSpec> outputs;
  std::vector<PyCallable> callables;  // one an instance
  PyRef binding;
  PyRef request_type;         // pytriton.proxy.types.Request
  PyRef model_config;         // TritonModelConfig, as decorators see it
  PyRef input_names;          // tuple of str
  PyRef context_name;         // "_context", interned
  PyObject* owner = nullptr;  // the capsule that owns this object; borrowed
  NativeTypes types;
  std::shared_ptr<CudaOnDemand> cuda;  // the server's; asked when something is on a device
  RefPtr<PyReleaser> releaser;
  mutable BlockPool pool{size_t{64} << 20};

  bool has_batch() const { return config.max_batch_size > 0; }
};

// The Python error that is set now (cleared), as the client is told it: the binding describes it.
Status DescribeError(const PyModel& model, const std::vector<const InferRequest*>& requests,
                     bool is_stream);
// The same for a batch: every request of it fails with that text.
void FailBatch(const PyModel& model, Batch* batch);
void FailBatch(const Status& status, Batch* batch);

}  // namespace pt::bindings
