// CudaTensor: a tensor in device memory as Python sees it. It is no array library: CuPy, PyTorch,
// JAX and others take it without a copy, by `__dlpack__` or `__cuda_array_interface__`.
//
// Its bytes are there when Python gets it, so no consumer needs to wait for a stream of ours.
// Thread rule: functions need the interpreter lock. Owner rule: the Python object, and whoever took
// the memory from it, keep the bytes.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>
#include <utility>

#include "bindings/dlpack.h"
#include "bindings/py_ref.h"
#include "tensor/cuda_devices.h"
#include "tensor/tensor.h"

namespace pt::bindings {

struct CudaTensor {
  std::shared_ptr<CudaDevices> devices;
  int device = 0;
  TensorView tensor;  // the data are device addresses
};

// Null with a Python error set.
PyRef WrapCudaTensor(CudaTensor tensor);
// Null: the object is something else.
const CudaTensor* AsCudaTensor(PyObject* object);

// DLPack's word for a data type; kInvalid where the other has none.
dlpack::Type DlpackTypeOf(DataType type);
DataType TypeOfDlpack(dlpack::Type type);
// The same for numpy's word in `__cuda_array_interface__`.
DataType TypeOfText(const std::string& text);

void AddCudaTensorType(pybind11::module_* module);

}  // namespace pt::bindings
