#include "bindings/device_array.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/cuda_tensor.h"
#include "bindings/numpy_api.h"
#include "bindings/unlocked.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

[[noreturn]] void Refuse(const std::string& what, const std::string& text) {
  throw py::value_error(what + ": " + text);
}

void AppendDim(const std::string& what, int64_t dim, Shape* shape) {
  if (dim < 0 || !shape->Append(dim)) Refuse(what, "expected dimensions of at least 0, and few");
}

// `stride(i)` in units of `unit`. Dimensions of one element, and tensors of none, may have any.
template <typename Stride>
bool IsContiguous(const Shape& shape, int64_t unit, Stride stride) {
  int64_t expected = unit;
  const std::optional<int64_t> count = shape.ElementCount();
  if (count && *count == 0) return true;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] != 1 && stride(axis) != expected) return false;
    expected *= shape[axis];
  }
  return true;
}

bool HasDlpackOnDevice(const py::handle& object) {
  if (!py::hasattr(object, "__dlpack__") || !py::hasattr(object, "__dlpack_device__")) return false;
  const auto device = object.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  return device.first == dlpack::kCuda || device.first == dlpack::kCudaManaged;
}

void Await(const std::string& what, CudaDevices* devices, int device, uint64_t stream) {
  const Status status = Unlocked([&] { return devices->AwaitStream(device, stream); });
  if (!status.ok()) Refuse(what, status.message());
}

void Finish(const std::string& what, bool is_contiguous, DeviceArray* found) {
  if (!is_contiguous) Refuse(what, "expected contiguous device memory, got strides");
  const std::optional<int64_t> count = found->shape.ElementCount();
  const size_t width = DataTypeSize(found->type);
  if (!count || (width > 0 && static_cast<size_t>(*count) > SIZE_MAX / width)) {
    Refuse(what, "expected a shape that can be, got one that overflows");
  }
  found->byte_size = static_cast<size_t>(*count) * width;
}

// The producer makes our stream wait for its own work. We wait for that too: the copies that follow
// may be another device's.
DeviceArray FindByDlpack(const std::string& what, const py::handle& object, CudaDevices* devices) {
  const auto device = object.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  const auto stream = Unlocked([&] { return devices->StreamNumber(device.second); });
  if (!stream.ok()) Refuse(what, stream.status().message());
  DeviceArray found;
  found.keep = object.attr("__dlpack__")(py::arg("stream") = *stream);
  auto* managed =
      static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(found.keep.ptr(), dlpack::kCapsule));
  if (managed == nullptr) throw py::error_already_set();
  Await(what, devices, device.second, *stream);
  const dlpack::Tensor& tensor = managed->tensor;
  found.address = reinterpret_cast<uintptr_t>(tensor.data) + tensor.byte_offset;
  found.device = tensor.device.id;
  found.type = TypeOfDlpack(tensor.type);
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    AppendDim(what, tensor.shape[axis], &found.shape);
  }
  const bool is_contiguous =
      tensor.strides == nullptr ||
      IsContiguous(found.shape, 1, [&](int axis) { return tensor.strides[axis]; });
  Finish(what, is_contiguous, &found);
  return found;
}

// The producer says on which stream its work is; without one there is nothing to wait for.
DeviceArray FindByInterface(const std::string& what, const py::handle& object,
                            CudaDevices* devices) {
  const auto interface = object.attr("__cuda_array_interface__").cast<py::dict>();
  DeviceArray found;
  found.keep = py::reinterpret_borrow<py::object>(object);
  found.address = interface["data"].cast<py::tuple>()[0].cast<uintptr_t>();
  found.type = TypeOfText(interface["typestr"].cast<std::string>());
  for (const py::handle dim : interface["shape"].cast<py::tuple>()) {
    AppendDim(what, dim.cast<int64_t>(), &found.shape);
  }
  const bool has_strides = interface.contains("strides") && !interface["strides"].is_none();
  const auto strides =
      has_strides ? interface["strides"].cast<std::vector<int64_t>>() : std::vector<int64_t>();
  const bool is_contiguous =
      strides.empty() ||
      (strides.size() == static_cast<size_t>(found.shape.rank()) &&
       IsContiguous(found.shape, static_cast<int64_t>(DataTypeSize(found.type)),
                    [&](int axis) { return strides[static_cast<size_t>(axis)]; }));
  if (found.address != 0) {
    const auto device = Unlocked([&] { return devices->DeviceOf(found.address); });
    if (!device.ok()) Refuse(what, device.status().message());
    found.device = *device;
  }
  Finish(what, is_contiguous, &found);
  if (!interface.contains("stream") || interface["stream"].is_none()) return found;
  Await(what, devices, found.device, interface["stream"].cast<uint64_t>());
  return found;
}

}  // namespace

bool IsOnDevice(PyObject* object) {
  if (PyArray_Check(object) || PyArray_CheckAnyScalar(object)) return false;
  try {
    const py::handle handle(object);
    return HasDlpackOnDevice(handle) || py::hasattr(handle, "__cuda_array_interface__");
  } catch (const std::exception&) {
    return false;  // whoever judges the object next says what is wrong with it
  }
}

DeviceArray FindOnDevice(const std::string& what, const py::handle& object, CudaDevices* devices) {
  return HasDlpackOnDevice(object) ? FindByDlpack(what, object, devices)
                                   : FindByInterface(what, object, devices);
}

}  // namespace pt::bindings
