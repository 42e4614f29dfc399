// Device tensors: inputs that a callable gets in device memory, and what it returned that lies
// there, of whatever library.
//
// Thread rule: functions need the interpreter lock.
#pragma once

#include "bindings/cuda_tensor.h"
#include "bindings/py_model.h"

namespace pt::bindings {

// An input in memory of a device, as the callable gets it. Null with a Python error set.
PyRef WrapDeviceInput(const PyModel& model, int device, const TensorView& input);

// The object's memory as a tensor that keeps the object; its work so far has ended. False with a
// Python error set: another type than the output's, not contiguous, no driver.
bool TakeDeviceTensor(const PyModel& model, const PyTensorSpec& spec, PyObject* object,
                      CudaTensor* taken);

// Its bytes in page-locked host memory. Releases the interpreter lock while it waits. False with a
// Python error set.
bool CopyToHost(const PyModel& model, const CudaTensor& tensor, Slice* bytes);

}  // namespace pt::bindings
