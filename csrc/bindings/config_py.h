// MakePyModel: a bound model from the plain dict that pytriton/_binding.py makes of the user's
// ModelConfig, tensors and callables.
//
// Keys: name, version, max_batch_size (0: no batch dimension), decoupled, strict, response_cache,
// batcher (dict or None), inputs and outputs (lists of dicts: name, datatype, dims, optional,
// dtype, device), callables (list of (form, target): "arrays", "requests", "stream"), request_type,
// model_config. Thread rule: needs the interpreter lock.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "bindings/py_model.h"

namespace pt::bindings {

// `binding` is what the core asks back (py_model.h). Throws what pybind11 translates, also when an
// input shall lie on a device that there isn't.
std::unique_ptr<PyModel> MakePyModel(const pybind11::dict& config, const pybind11::object& binding,
                                     RefPtr<PyReleaser> releaser,
                                     std::shared_ptr<CudaOnDemand> cuda);

// Its configuration alone.
ModelConfig MakeModelConfig(const pybind11::dict& config);

}  // namespace pt::bindings
