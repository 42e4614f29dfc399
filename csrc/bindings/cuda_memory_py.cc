#include "bindings/cuda_memory_py.h"

#include <optional>
#include <utility>

#include "bindings/device_array.h"
#include "bindings/errors.h"
#include "bindings/unlocked.h"
#include "tensor/cuda_address.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

// Runs without the interpreter lock; throws the error.
template <typename Work>
auto RunUnlocked(const Work& work) {
  auto result = Unlocked(work);
  ThrowIfError(result.status());
  return std::move(result).value();
}

// A contiguous buffer for a scope.
struct HeldBuffer {
  explicit HeldBuffer(PyObject* object) {
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) != 0) throw py::error_already_set();
  }
  ~HeldBuffer() { PyBuffer_Release(&view); }
  HeldBuffer(const HeldBuffer&) = delete;
  HeldBuffer& operator=(const HeldBuffer&) = delete;

  Py_buffer view = {};
};

std::shared_ptr<CudaDevices> OpenDevices() {
  return RunUnlocked([] {
    CudaOptions options;
    options.pinned_bytes = 0;  // nothing is staged here
    return CudaDevices::Open(options);
  });
}

}  // namespace

CudaMemoryPy::CudaMemoryPy(size_t byte_size, int device)
    : devices_(OpenDevices()), device_(device) {
  block_ = RunUnlocked([&] { return devices_->Allocate(device, byte_size); });
}

py::bytes CudaMemoryPy::handle() const {
  const CudaIpcHandle handle =
      RunUnlocked([&] { return devices_->MakeHandle(device_, AddressOf(block_->data())); });
  return {handle.bytes, CudaIpcHandle::kSize};
}

void CudaMemoryPy::CheckRange(size_t offset, size_t size) const {
  if (offset <= block_->capacity() && size <= block_->capacity() - offset) return;
  throw py::value_error("expected a range inside of " + std::to_string(block_->capacity()) +
                        " bytes, got " + std::to_string(size) + " bytes at " +
                        std::to_string(offset));
}

void CudaMemoryPy::Write(size_t offset, const py::buffer& bytes) {
  const HeldBuffer held(bytes.ptr());
  CopyFrom(offset, AddressOf(held.view.buf), static_cast<size_t>(held.view.len));
}

void CudaMemoryPy::CopyFrom(size_t offset, CudaAddress from, size_t size) {
  CheckRange(offset, size);
  const CudaTransfer transfer{AddressOf(block_->data()) + offset, from, size};
  ThrowIfError(Unlocked([&] { return devices_->Copy(device_, transfer); }));
}

py::tuple CudaMemoryPy::WriteArray(size_t offset, const py::object& array) {
  const DeviceArray found = FindOnDevice("array", array, devices_.get());
  if (found.type == DataType::kInvalid) {
    throw py::value_error("expected elements of a type that the protocol knows");
  }
  CopyFrom(offset, found.address, found.byte_size);
  py::tuple shape(found.shape.rank());
  for (int i = 0; i < found.shape.rank(); ++i) shape[i] = found.shape[i];
  return py::make_tuple(std::string(DataTypeName(found.type)), shape);
}

py::bytes CudaMemoryPy::Read(size_t offset, size_t size) const {
  CheckRange(offset, size);
  PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
  if (made == nullptr) throw py::error_already_set();
  auto bytes = py::reinterpret_steal<py::bytes>(made);
  char* const to = PyBytes_AS_STRING(made);  // nobody else has it yet
  const CudaTransfer transfer{AddressOf(to), AddressOf(block_->data()) + offset, size};
  ThrowIfError(Unlocked([&] { return devices_->Copy(device_, transfer); }));
  return bytes;
}

CudaTensor CudaMemoryPy::Tensor(size_t offset, const std::string& datatype,
                                const py::tuple& shape) const {
  const DataType type = ParseDataType(datatype);
  Shape dims;
  for (const py::handle dim : shape) {
    if (!dims.Append(dim.cast<int64_t>())) throw py::value_error("too many dimensions");
  }
  const std::optional<int64_t> count = dims.ElementCount();
  const size_t width = DataTypeSize(type);
  if (width == 0 || !count || static_cast<size_t>(*count) > SIZE_MAX / width) {
    throw py::value_error("expected a type of fixed size and a shape that fits, got " + datatype +
                          " and " + dims.ToString());
  }
  const size_t size = static_cast<size_t>(*count) * width;
  CheckRange(offset, size);
  return {devices_, device_, {type, dims, Slice(block_, block_->data() + offset, size)}};
}

void AddCudaMemoryType(py::module_* module) {
  py::class_<CudaMemoryPy>(*module, "CudaMemory", "Device memory that servers can be told of.")
      .def(py::init<size_t, int>(), py::arg("byte_size"), py::arg("device"))
      .def("handle", &CudaMemoryPy::handle, "An IPC handle: 64 bytes for another process.")
      .def_property_readonly("device", &CudaMemoryPy::device, "Number of the device.")
      .def("write", &CudaMemoryPy::Write, py::arg("offset"), py::arg("data"),
           "Copies a contiguous buffer to the device.")
      .def("write_array", &CudaMemoryPy::WriteArray, py::arg("offset"), py::arg("array"),
           "Copies an array from device memory; gives its data type and shape.")
      .def("read", &CudaMemoryPy::Read, py::arg("offset"), py::arg("size"), "A copy of bytes.")
      .def("tensor", &CudaMemoryPy::Tensor, py::arg("offset"), py::arg("datatype"),
           py::arg("shape"), "A tensor over a part, without a copy.");
}

}  // namespace pt::bindings
