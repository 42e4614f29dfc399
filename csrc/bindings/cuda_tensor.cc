#include "bindings/cuda_tensor.h"

#include <pybind11/numpy.h>

#include <array>
#include <string>
#include <vector>

#include "bindings/errors.h"
#include "bindings/unlocked.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

struct TypeRow {
  DataType type;
  dlpack::Type dlpack;
  const char* text;  // numpy's, in __cuda_array_interface__; null: it has none
};

constexpr std::array<TypeRow, 13> kTypes = {{
    {DataType::kBool, {dlpack::kBool, 8, 1}, "|b1"},
    {DataType::kUint8, {dlpack::kUint, 8, 1}, "|u1"},
    {DataType::kUint16, {dlpack::kUint, 16, 1}, "<u2"},
    {DataType::kUint32, {dlpack::kUint, 32, 1}, "<u4"},
    {DataType::kUint64, {dlpack::kUint, 64, 1}, "<u8"},
    {DataType::kInt8, {dlpack::kInt, 8, 1}, "|i1"},
    {DataType::kInt16, {dlpack::kInt, 16, 1}, "<i2"},
    {DataType::kInt32, {dlpack::kInt, 32, 1}, "<i4"},
    {DataType::kInt64, {dlpack::kInt, 64, 1}, "<i8"},
    {DataType::kFp16, {dlpack::kFloat, 16, 1}, "<f2"},
    {DataType::kFp32, {dlpack::kFloat, 32, 1}, "<f4"},
    {DataType::kFp64, {dlpack::kFloat, 64, 1}, "<f8"},
    {DataType::kBf16, {dlpack::kBfloat, 16, 1}, nullptr},
}};

const TypeRow* FindType(DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

// What a capsule holds: the structure, and what keeps its memory.
struct Exported {
  dlpack::ManagedTensor managed = {};
  std::vector<int64_t> shape;
  Slice bytes;
};

// The consumer may call this on any thread, with or without the interpreter.
void DeleteExported(dlpack::ManagedTensor* managed) {
  delete static_cast<Exported*>(managed->manager);
}

// Nobody took the capsule's tensor over: then it is renamed.
void DestroyCapsule(PyObject* capsule) {
  if (PyCapsule_IsValid(capsule, dlpack::kCapsule) == 0) return;
  auto* managed =
      static_cast<dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule, dlpack::kCapsule));
  managed->deleter(managed);
}

py::object MakeCapsule(const CudaTensor& self) {
  auto exported = std::make_unique<Exported>();
  const auto dims = self.tensor.shape.dims();
  exported->shape.assign(dims.begin(), dims.end());
  exported->bytes = self.tensor.data;
  dlpack::Tensor& tensor = exported->managed.tensor;
  tensor.data = const_cast<char*>(self.tensor.data.data);
  tensor.device = {dlpack::kCuda, self.device};
  tensor.rank = static_cast<int32_t>(exported->shape.size());
  tensor.type = DlpackTypeOf(self.tensor.type);
  tensor.shape = exported->shape.data();
  exported->managed.manager = exported.get();
  exported->managed.deleter = DeleteExported;
  PyObject* capsule = PyCapsule_New(&exported->managed, dlpack::kCapsule, DestroyCapsule);
  if (capsule == nullptr) throw py::error_already_set();
  [[maybe_unused]] const Exported* const with_capsule = exported.release();
  return py::reinterpret_steal<py::object>(capsule);
}

// The bytes are there, so a consumer's stream needs to wait for nothing.
py::object Dlpack(const CudaTensor& self, const py::object& stream, const py::object& max_version,
                  const py::object& dl_device, const py::object& copy) {
  const py::tuple own = py::make_tuple(static_cast<int>(dlpack::kCuda), self.device);
  if (!dl_device.is_none() && !dl_device.equal(own)) {
    PyErr_SetString(PyExc_BufferError, "expected the tensor's own device, got another one");
    throw py::error_already_set();
  }
  if (!copy.is_none() && copy.cast<bool>()) {
    PyErr_SetString(PyExc_BufferError, "expected copy=False or None, got True");
    throw py::error_already_set();
  }
  return MakeCapsule(self);
}

py::tuple ShapeTuple(const CudaTensor& self) {
  const auto dims = self.tensor.shape.dims();
  py::tuple shape(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) shape[i] = dims[i];
  return shape;
}

py::dict ArrayInterface(const CudaTensor& self) {
  const TypeRow* const row = FindType(self.tensor.type);
  if (row == nullptr || row->text == nullptr) {
    throw py::attribute_error("numpy has no word for " +
                              std::string(DataTypeName(self.tensor.type)) + "; use __dlpack__");
  }
  py::dict interface;
  interface["shape"] = ShapeTuple(self);
  interface["typestr"] = row->text;
  const auto address = reinterpret_cast<uintptr_t>(self.tensor.data.data);
  // By the protocol, a tensor without elements has address 0.
  interface["data"] = py::make_tuple(self.tensor.data.empty() ? 0 : address, false);
  interface["strides"] = py::none();
  interface["stream"] = py::none();
  interface["version"] = 3;
  return interface;
}

py::object ToHost(const CudaTensor& self) {
  const TypeRow* const row = FindType(self.tensor.type);
  const char* const type = row == nullptr || row->text == nullptr ? "<u2" : row->text;
  const auto dims = self.tensor.shape.dims();
  py::array array(py::dtype(type), std::vector<py::ssize_t>(dims.begin(), dims.end()));
  const CudaTransfer transfer{reinterpret_cast<uintptr_t>(array.mutable_data()),
                              reinterpret_cast<uintptr_t>(self.tensor.data.data),
                              self.tensor.data.size};
  ThrowIfError(Unlocked([&] { return self.devices->Copy(self.device, transfer); }));
  return array;
}

}  // namespace

dlpack::Type DlpackTypeOf(DataType type) {
  const TypeRow* const row = FindType(type);
  return row == nullptr ? dlpack::Type{} : row->dlpack;
}

DataType TypeOfDlpack(dlpack::Type type) {
  for (const TypeRow& row : kTypes) {
    if (row.dlpack.code == type.code && row.dlpack.bits == type.bits && type.lanes == 1) {
      return row.type;
    }
  }
  return DataType::kInvalid;
}

DataType TypeOfText(const std::string& text) {
  for (const TypeRow& row : kTypes) {
    if (row.text != nullptr && text == row.text) return row.type;
  }
  return DataType::kInvalid;
}

PyRef WrapCudaTensor(CudaTensor tensor) {
  try {
    return PyRef::Steal(py::cast(std::move(tensor)).release().ptr());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
    return {};
  }
}

const CudaTensor* AsCudaTensor(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<CudaTensor>(handle) ? handle.cast<const CudaTensor*>() : nullptr;
}

void AddCudaTensorType(py::module_* module) {
  py::class_<CudaTensor>(*module, "CudaTensor",
                         "A tensor in device memory; array libraries take it without a copy.")
      .def("__dlpack__", &Dlpack, py::arg("stream") = py::none(), py::kw_only(),
           py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
           py::arg("copy") = py::none(), "A capsule with the tensor, for from_dlpack.")
      .def(
          "__dlpack_device__",
          [](const CudaTensor& self) {
            return py::make_tuple(static_cast<int>(dlpack::kCuda), self.device);
          },
          "(2, device): CUDA memory of that device.")
      .def_property_readonly("__cuda_array_interface__", &ArrayInterface)
      .def_property_readonly("shape", &ShapeTuple, "Dimensions.")
      .def_property_readonly(
          "datatype",
          [](const CudaTensor& self) { return std::string(DataTypeName(self.tensor.type)); },
          "Name of the element type, such as FP32.")
      .def_property_readonly(
          "nbytes", [](const CudaTensor& self) { return self.tensor.data.size; }, "Bytes.")
      .def_property_readonly(
          "device", [](const CudaTensor& self) { return self.device; }, "Number of the device.")
      .def("numpy", &ToHost, "A copy on the host; BF16 as uint16 with the same bits.");
}

}  // namespace pt::bindings
