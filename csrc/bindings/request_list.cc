#include "bindings/request_list.h"

#include <algorithm>
#include <cstring>

#include "base/copy_count.h"
#include "bindings/device_output.h"
#include "bindings/gather.h"

namespace pt::bindings {
namespace {

// A numeric input's bytes in a block that the array may keep: the request's own when they are
// aligned, else a copy. Empty owner: no memory.
Slice OwnBytes(const PyModel& model, const PyTensorSpec& spec, const Slice& data) {
  const size_t alignment = std::max<size_t>(DataTypeSize(spec.type), 1);
  const bool is_aligned = reinterpret_cast<uintptr_t>(data.data) % alignment == 0;
  if (data.owner && is_aligned && !spec.is_widened) return data;
  const size_t size = spec.is_widened ? data.size * 2 : data.size;
  BlockRef block = model.pool.Allocate(std::max<size_t>(size, 1));
  if (!block) return {};
  if (spec.is_widened) {
    WidenBf16(data.data, reinterpret_cast<float*>(block->data()),
              static_cast<int64_t>(data.size / sizeof(uint16_t)));
  } else if (size != 0) {
    std::memcpy(block->data(), data.data, size);
    CountCopy(size);
  }
  const char* bytes = block->data();
  return Slice(std::move(block), bytes, size);
}

PyRef MakeDeviceInput(const PyModel& model, int device, const TensorView& tensor) {
  Result<Slice> bytes = Unavailable("there is no driver");
  Py_BEGIN_ALLOW_THREADS;
  const Result<std::shared_ptr<CudaDevices>> devices = model.cuda->Get();
  bytes = devices.ok() ? MoveToDevice(tensor.data, device, devices->get())
                       : Result<Slice>(devices.status());
  Py_END_ALLOW_THREADS;
  if (bytes.ok()) return WrapDeviceInput(model, device, {tensor.type, tensor.shape, *bytes});
  PyErr_SetString(PyExc_RuntimeError, bytes.status().message().c_str());
  return {};
}

PyRef MakeInputArray(const PyModel& model, const PyCallable& callable, const InputTensor& input) {
  const PyTensorSpec& spec = model.inputs[input.index];
  const TensorView& tensor = input.tensor;
  if (spec.type == DataType::kBytes) return DecodeBytesArray(tensor.shape, {tensor.data.view()});
  const int device = callable.DeviceFor(spec);
  if (device >= 0) return MakeDeviceInput(model, device, tensor);
  Slice bytes = OwnBytes(model, spec, tensor.data);
  if (!bytes.owner) {
    PyErr_NoMemory();
    return {};
  }
  PyRef holder = PyRef::Steal(reinterpret_cast<PyObject*>(model.types.NewBlockOwner()));
  if (!holder) return {};
  auto* owner = reinterpret_cast<BlockOwnerObject*>(holder.get());
  const bool is_client_memory = bytes.owner->is_client_memory();
  owner->Set(std::move(bytes.owner));
  PyRef array = ViewArray(spec, tensor.shape, const_cast<char*>(bytes.data), owner);
  if (array && is_client_memory) MakeReadOnly(array.get());
  return array;
}

PyRef MakeData(const PyModel& model, const PyCallable& callable, const InferRequest& request) {
  PyRef data = PyRef::Steal(PyDict_New());
  for (const InputTensor& input : request.inputs) {
    PyRef array = data ? MakeInputArray(model, callable, input) : PyRef();
    if (!array) return {};
    PyObject* name = model.inputs[input.index].py_name.get();
    if (PyDict_SetItem(data.get(), name, array.get()) != 0) return {};
  }
  return data;
}

PyObject* MakeValue(const ParameterValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return PyBool_FromLong(*flag ? 1 : 0);
  if (const int64_t* number = std::get_if<int64_t>(&value)) return PyLong_FromLongLong(*number);
  if (const double* number = std::get_if<double>(&value)) return PyFloat_FromDouble(*number);
  const std::string& text = std::get<std::string>(value);
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

PyRef MakeParameters(const Parameters& parameters) {
  PyRef dict = PyRef::Steal(PyDict_New());
  for (const auto& [name, value] : parameters) {
    PyRef key = PyRef::Steal(
        PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "replace"));
    PyRef object = PyRef::Steal(MakeValue(value));
    if (!dict || !key || !object) return {};
    if (PyDict_SetItem(dict.get(), key.get(), object.get()) != 0) return {};
  }
  return dict;
}

PyRef MakeOutputNames(const PyModel& model, const InferRequest& request) {
  PyRef names = PyRef::Steal(PyList_New(0));
  for (size_t i = 0; names && i < model.outputs.size(); ++i) {
    if (!request.WantsOutput(static_cast<int>(i))) continue;
    if (PyList_Append(names.get(), model.outputs[i].py_name.get()) != 0) return {};
  }
  return names;
}

PyRef MakeRequest(const PyModel& model, const PyCallable& callable, const InferRequest& request) {
  PyRef data = MakeData(model, callable, request);
  PyRef parameters = data ? MakeParameters(request.parameters) : PyRef();
  PyRef names = parameters ? MakeOutputNames(model, request) : PyRef();
  if (!names) return {};
  PyRef object = PyRef::Steal(PyObject_CallFunctionObjArgs(
      model.request_type.get(), data.get(), parameters.get(), Py_None, names.get(), nullptr));
  PyRef context = PyRef::Steal(
      model.types.NewRequestContext(&request.responder(), model.model_config.get(), request.id));
  if (!object || !context) return {};
  if (PyObject_SetAttr(object.get(), model.context_name.get(), context.get()) != 0) return {};
  return object;
}

}  // namespace

PyRef MakeRequestList(const PyModel& model, const PyCallable& callable,
                      const std::vector<const InferRequest*>& requests) {
  PyRef list = PyRef::Steal(PyList_New(static_cast<Py_ssize_t>(requests.size())));
  for (size_t i = 0; list && i < requests.size(); ++i) {
    PyRef request = MakeRequest(model, callable, *requests[i]);
    if (!request) return {};
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), request.Release());
  }
  return list;
}

}  // namespace pt::bindings
