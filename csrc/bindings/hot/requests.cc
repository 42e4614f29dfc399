#include "bindings/hot/requests.h"

#include <utility>

namespace pt::hot {
namespace {

constexpr Py_ssize_t kInputs = 2;  // in a RawRequest
// In a RawTensor.
constexpr Py_ssize_t kTensorName = 0;
constexpr Py_ssize_t kTensorCode = 1;
constexpr Py_ssize_t kDims = 2;
constexpr Py_ssize_t kTensorData = 3;

// As object.__new__ of a class with slots alone.
PyRef NewObject(PyObject* type) {
  return PyRef::Steal(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(type), 0));
}

bool Set(const PyRef& object, const PyRef& name, PyObject* value) {
  return PyObject_SetAttr(object.get(), name.get(), value) == 0;
}

}  // namespace

bool Requests::Prepare() {
  const std::pair<PyRef*, const char*> names[] = {
      {&raw_, "_raw"},         {&host_, "_host"},   {&inputs_, "_inputs"}, {&sender_, "_sender"},
      {&release_, "_release"}, {&name_, "_name"},   {&code_, "_code"},     {&shape_, "_shape"},
      {&data_, "_data"},       {&array_, "_array"},
  };
  for (const auto& [ref, text] : names) {
    *ref = PyRef::Steal(PyUnicode_InternFromString(text));
    if (!*ref) return false;
  }
  release_all_ = PyRef::Steal(PyLong_FromLong(1));
  return static_cast<bool>(release_all_);
}

PyRef Requests::Make(PyObject* batch, const Classes& classes) const {
  const Py_ssize_t count = PyList_Size(batch);
  PyRef requests = PyRef::Steal(PyList_New(0));
  for (Py_ssize_t i = 0; requests && i < count; ++i) {
    const PyRef raw = PyRef::Borrow(PyList_GetItem(batch, i));
    if (!raw) return {};
    const PyRef request = MakeOne(raw.get(), classes);
    if (!request || PyList_Append(requests.get(), request.get()) < 0) return {};
  }
  return requests;
}

PyRef Requests::MakeOne(PyObject* raw, const Classes& classes) const {
  PyObject* const raw_inputs = PyTuple_GetItem(raw, kInputs);
  if (raw_inputs == nullptr) return {};
  const PyRef inputs = PyRef::Steal(PyList_New(0));
  if (!inputs) return {};
  for (Py_ssize_t i = 0; i < PyTuple_Size(raw_inputs); ++i) {
    PyObject* const raw_tensor = PyTuple_GetItem(raw_inputs, i);
    if (raw_tensor == nullptr) return {};
    const PyRef tensor = MakeTensor(raw_tensor, classes);
    if (!tensor || PyList_Append(inputs.get(), tensor.get()) < 0) return {};
  }
  if (PyErr_Occurred() != nullptr) return {};
  PyRef request = NewObject(classes.request);
  const bool is_made = request && Set(request, raw_, raw) && Set(request, host_, classes.host) &&
                       Set(request, inputs_, inputs.get()) && Set(request, sender_, Py_None) &&
                       Set(request, release_, release_all_.get());
  return is_made ? std::move(request) : PyRef();
}

PyRef Requests::MakeTensor(PyObject* raw, const Classes& classes) const {
  if (PyTuple_Size(raw) != 4) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "expected a RawTensor");
    return {};
  }
  const PyRef array = MakeArray(raw, classes);
  PyRef tensor = array ? NewObject(classes.tensor) : PyRef();
  const bool is_made = tensor && Set(tensor, name_, PyTuple_GetItem(raw, kTensorName)) &&
                       Set(tensor, code_, PyTuple_GetItem(raw, kTensorCode)) &&
                       Set(tensor, shape_, PyTuple_GetItem(raw, kDims)) &&
                       Set(tensor, data_, PyTuple_GetItem(raw, kTensorData)) &&
                       Set(tensor, array_, array.get());
  return is_made ? std::move(tensor) : PyRef();
}

// The array over the bytes; None where the tensor makes it when it is asked for: it has to be
// decoded, it is one already, or numpy refuses, which is to be told to who asks.
PyRef Requests::MakeArray(PyObject* raw, const Classes& classes) {
  PyObject* const data = PyTuple_GetItem(raw, kTensorData);
  PyObject* const dtype =
      PyDict_GetItemWithError(classes.dtypes, PyTuple_GetItem(raw, kTensorCode));
  if (dtype == nullptr && PyErr_Occurred() != nullptr) return {};
  if (dtype == nullptr || reinterpret_cast<PyObject*>(Py_TYPE(data)) == classes.array) {
    return PyRef::Borrow(Py_None);
  }
  PyRef array = PyRef::Steal(PyObject_CallFunctionObjArgs(
      classes.array, PyTuple_GetItem(raw, kDims), dtype, data, nullptr));
  if (array) return array;
  PyErr_Clear();
  return PyRef::Borrow(Py_None);
}

}  // namespace pt::hot
