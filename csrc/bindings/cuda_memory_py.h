// CudaMemoryPy: device memory of a client as Python holds it (pytriton.shared_memory.CudaRegion):
// made, filled, read, and exported to servers.
//
// Thread rule: as the memory; the interpreter lock is given up while the driver works.
// Owner rule: the Python object owns the memory; tensors over it keep it.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "bindings/cuda_tensor.h"

namespace pt::bindings {

class CudaMemoryPy {
 public:
  // Throws when there is no driver, no such device or no memory.
  CudaMemoryPy(size_t byte_size, int device);

  // The bytes of an IPC handle, for another process.
  pybind11::bytes handle() const;
  int device() const { return device_; }
  // Copies a contiguous buffer of the host to the device. Throws when it does not fit.
  void Write(size_t offset, const pybind11::buffer& bytes);
  // Copies an array of another library from device memory; gives its data type and shape.
  pybind11::tuple WriteArray(size_t offset, const pybind11::object& array);
  pybind11::bytes Read(size_t offset, size_t size) const;
  // A tensor over a part, without a copy.
  CudaTensor Tensor(size_t offset, const std::string& datatype, const pybind11::tuple& shape) const;

 private:
  void CopyFrom(size_t offset, CudaAddress from, size_t size);
  void CheckRange(size_t offset, size_t size) const;

  std::shared_ptr<CudaDevices> devices_;
  const int device_;
  BlockRef block_;
};

void AddCudaMemoryType(pybind11::module_* module);

}  // namespace pt::bindings
