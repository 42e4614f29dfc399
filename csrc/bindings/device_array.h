// DeviceArray: an array of another library in device memory, found by `__dlpack__` or, without
// that, by `__cuda_array_interface__`.
//
// Thread rule: functions need the interpreter lock. Owner rule: `keep` keeps the memory.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include "tensor/cuda_devices.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace pt::bindings {

struct DeviceArray {
  uintptr_t address = 0;
  int device = 0;
  DataType type = DataType::kInvalid;  // kInvalid: one that the protocol does not know
  Shape shape;
  size_t byte_size = 0;
  pybind11::object keep;
};

// Whether the object says that it lies in device memory. Never sets a Python error.
bool IsOnDevice(PyObject* object);

// REQUIRES: IsOnDevice. The work on it so far has ended on return. Throws a ValueError that begins
// with `what` when it is not contiguous, or nobody knows its device; and what its library throws.
DeviceArray FindOnDevice(const std::string& what, const pybind11::handle& object,
                         CudaDevices* devices);

}  // namespace pt::bindings
