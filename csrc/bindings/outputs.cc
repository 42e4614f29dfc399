#include "bindings/outputs.h"

#include <algorithm>
#include <cstring>

#include "base/copy_count.h"
#include "bindings/device_array.h"
#include "bindings/device_output.h"
#include "bindings/numpy_api.h"

namespace pt::bindings {
namespace {

// Up to here a copy is cheaper than keeping a Python reference until the bytes have left.
constexpr size_t kCopyBelow = 8192;

PyArrayObject* AsArray(const PyRef& array) { return reinterpret_cast<PyArrayObject*>(array.get()); }

int FindOutput(const PyModel& model, PyObject* name) {
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    if (model.outputs[i].py_name.get() == name) return static_cast<int>(i);
  }
  if (!PyUnicode_Check(name)) return -1;
  for (size_t i = 0; i < model.outputs.size(); ++i) {
    if (PyUnicode_Compare(model.outputs[i].py_name.get(), name) == 0) return static_cast<int>(i);
  }
  return -1;
}

bool HoldsOnlyBytes(PyArrayObject* array) {
  PyObject** object = static_cast<PyObject**>(PyArray_DATA(array));
  return std::all_of(object, object + PyArray_SIZE(array),
                     [](PyObject* o) { return o != nullptr && PyBytes_Check(o); });
}

bool HasDeclaredType(const PyTensorSpec& spec, PyArrayObject* array) {
  const int type = PyArray_TYPE(array);
  if (spec.type != DataType::kBytes) {
    return type == spec.type_num || PyArray_EquivTypenums(type, spec.type_num);
  }
  if (type == NPY_OBJECT) return HoldsOnlyBytes(array);
  return type == NPY_STRING || type == NPY_UNICODE;
}

bool HasDeclaredShape(const PyTensorSpec& spec, PyArrayObject* array, bool has_batch) {
  const int skip = has_batch ? 1 : 0;
  if (PyArray_NDIM(array) != spec.dims.rank() + skip) return false;
  for (int axis = 0; axis < spec.dims.rank(); ++axis) {
    if (spec.dims[axis] >= 0 && spec.dims[axis] != PyArray_DIM(array, axis + skip)) return false;
  }
  return true;
}

bool IsRegular(const PyModel& model, const PyTensorSpec& spec, PyObject* value, int64_t rows) {
  if (!PyArray_CheckExact(value)) return false;
  auto* array = reinterpret_cast<PyArrayObject*>(value);
  if (!PyArray_IS_C_CONTIGUOUS(array) || !PyArray_ISNOTSWAPPED(array)) return false;
  if (rows >= 0 && (PyArray_NDIM(array) == 0 || PyArray_DIM(array, 0) != rows)) return false;
  if (!HasDeclaredType(spec, array)) return false;
  return !model.is_strict || HasDeclaredShape(spec, array, model.has_batch());
}

bool FitsShape(const PyModel& model, const PyTensorSpec& spec, const Shape& shape, int64_t rows) {
  if (rows >= 0 && (shape.rank() == 0 || shape[0] != rows)) return false;
  if (!model.is_strict) return true;
  const int skip = model.has_batch() ? 1 : 0;
  if (shape.rank() != spec.dims.rank() + skip) return false;
  for (int axis = 0; axis < spec.dims.rank(); ++axis) {
    if (spec.dims[axis] >= 0 && spec.dims[axis] != shape[axis + skip]) return false;
  }
  return true;
}

// A result in device memory. False: it is none, or, with a Python error set, not as it must be.
bool TakeOnDevice(const PyModel& model, PyObject* value, int64_t rows, TakenArray* taken) {
  const PyTensorSpec& spec = model.outputs[taken->index];
  if (!IsOnDevice(value)) return false;
  CudaTensor tensor;
  if (!TakeDeviceTensor(model, spec, value, &tensor)) return false;
  if (!FitsShape(model, spec, tensor.tensor.shape, rows)) {
    PyErr_Format(PyExc_ValueError, "output '%s' in device memory has shape %s, not as declared",
                 spec.name.c_str(), tensor.tensor.shape.ToString().c_str());
    return false;
  }
  taken->device = std::make_unique<CudaTensor>(std::move(tensor));
  return true;
}

// Takes one value. False as TakeOnDevice.
bool TakeValue(const PyModel& model, int index, PyObject* value, int64_t rows,
               std::vector<TakenArray>* taken) {
  TakenArray array;
  array.index = index;
  if (IsRegular(model, model.outputs[index], value, rows)) {
    array.array = PyRef::Borrow(value);
  } else if (!TakeOnDevice(model, value, rows, &array)) {
    return false;
  }
  taken->push_back(std::move(array));
  return true;
}

// False: something is out of the ordinary; nothing was judged yet, unless a Python error is set.
bool TakeDict(const PyModel& model, PyObject* result, int64_t rows,
              std::vector<TakenArray>* taken) {
  taken->clear();
  if (!PyDict_Check(result)) return false;
  PyObject* name = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; PyDict_Next(result, &at, &name, &value) != 0;) {
    const int index = FindOutput(model, name);
    if (index < 0 || !TakeValue(model, index, value, rows, taken)) return false;
  }
  return true;
}

// A list or tuple in the order of the model's outputs.
bool TakeSequence(const PyModel& model, PyObject* result, int64_t rows,
                  std::vector<TakenArray>* taken) {
  taken->clear();
  if (!PyList_CheckExact(result) && !PyTuple_CheckExact(result)) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(result);
  if (count != static_cast<Py_ssize_t>(model.outputs.size())) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* value = PySequence_Fast_GET_ITEM(result, i);
    if (!TakeValue(model, static_cast<int>(i), value, rows, taken)) return false;
  }
  return true;
}

bool TakeDicts(const PyModel& model, PyObject* result, size_t count,
               std::vector<std::vector<TakenArray>>* taken) {
  taken->clear();
  taken->resize(count);
  if (!PyList_Check(result) || PyList_GET_SIZE(result) != static_cast<Py_ssize_t>(count)) {
    return false;
  }
  for (size_t i = 0; i < count; ++i) {
    PyObject* item = PyList_GET_ITEM(result, static_cast<Py_ssize_t>(i));
    if (!TakeDict(model, item, -1, &(*taken)[i])) return false;
  }
  return true;
}

bool FailConversion() {
  if (PyErr_Occurred() == nullptr) {
    PyErr_SetString(PyExc_SystemError, "converted outputs do not match the model's declaration");
  }
  return false;
}

// Whether no one else can change the array's bytes: the user may return a buffer that the next call
// writes again, or a view of one.
bool IsSolelyOurs(const PyModel& model, PyArrayObject* array) {
  if (Py_REFCNT(array) != 1) return false;
  PyObject* base = PyArray_BASE(array);
  if (base == nullptr) return PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA) != 0;
  // An input's bytes: held by the instance's slot and by this array.
  if (Py_TYPE(base) == model.types.block_owner) return Py_REFCNT(base) <= 2;
  if (!PyArray_CheckExact(base)) return false;
  return IsSolelyOurs(model, reinterpret_cast<PyArrayObject*>(base));
}

Shape ShapeOf(PyArrayObject* array) {
  static_assert(sizeof(npy_intp) == sizeof(int64_t));
  const auto* dims = reinterpret_cast<const int64_t*>(PyArray_DIMS(array));
  return Shape(std::span<const int64_t>(dims, static_cast<size_t>(PyArray_NDIM(array))));
}

// The bytes of a numeric array. Empty owner: no memory.
Slice TakeBytes(const PyModel& model, const PyTensorSpec& spec, PyRef array) {
  PyArrayObject* typed = AsArray(array);
  char* data = static_cast<char*>(PyArray_DATA(typed));
  size_t size = static_cast<size_t>(PyArray_NBYTES(typed));
  if (!spec.is_widened && size > kCopyBelow && IsSolelyOurs(model, typed)) {
    BlockRef block(new PyBlock(array.Release(), data, size, model.releaser));
    return Slice(std::move(block), data, size);
  }
  const int64_t count = PyArray_SIZE(typed);
  if (spec.is_widened) size /= 2;
  BlockRef copy = model.pool.Allocate(std::max<size_t>(size, 1));
  if (!copy) return {};
  if (spec.is_widened) {
    NarrowBf16(reinterpret_cast<const float*>(data), copy->data(), count);
  } else if (size != 0) {
    std::memcpy(copy->data(), data, size);
    CountCopy(size);
  }
  const char* bytes = copy->data();
  return Slice(std::move(copy), bytes, size);
}

bool EncodeRows(const PyTensorSpec& spec, const PyRef& array, int64_t first, int64_t count,
                TensorView* tensor) {
  std::string bytes;
  if (!EncodeBytesArray(array.get(), first, count, &bytes)) {
    PyErr_Format(PyExc_ValueError, "output '%s' holds an element that is not valid text",
                 spec.name.c_str());
    return false;
  }
  tensor->data = Slice::OfString(std::move(bytes));
  return true;
}

// A part of a device tensor for one request: as it is, when its answer goes to a device.
bool LandDevice(const PyModel& model, const InferRequest& request, int index, CudaTensor part,
                TensorView* tensor) {
  tensor->type = part.tensor.type;
  tensor->shape = part.tensor.shape;
  if (!request.TakesDeviceOutput(index)) return CopyToHost(model, part, &tensor->data);
  tensor->data = std::move(part.tensor.data);
  return true;
}

bool MakeTensor(const PyModel& model, TakenArray* taken, TensorView* tensor) {
  const PyTensorSpec& spec = model.outputs[taken->index];
  tensor->type = spec.type;
  tensor->shape = ShapeOf(AsArray(taken->array));
  if (spec.type == DataType::kBytes) {
    return EncodeRows(spec, taken->array, 0, PyArray_SIZE(AsArray(taken->array)), tensor);
  }
  tensor->data = TakeBytes(model, spec, std::move(taken->array));
  if (tensor->data.owner) return true;
  PyErr_NoMemory();
  return false;
}

bool DealDevice(const PyModel& model, const TakenArray& taken, Batch* batch) {
  const TensorView& whole = taken.device->tensor;
  const size_t row_size =
      whole.data.size / static_cast<size_t>(std::max<int64_t>(whole.shape[0], 1));
  size_t row = 0;
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    const InferRequest& request = *batch->requests[i];
    const auto count = static_cast<size_t>(request.batch_size);
    if (request.WantsOutput(taken.index)) {
      CudaTensor part = *taken.device;
      part.tensor.shape.set(0, request.batch_size);
      part.tensor.data = whole.data.Sub(row * row_size, count * row_size);
      OutputTensor output;
      output.index = taken.index;
      if (!LandDevice(model, request, taken.index, std::move(part), &output.tensor)) return false;
      batch->responses[i].outputs.push_back(std::move(output));
    }
    row += count;
  }
  return true;
}

// Deals the rows of one output.
bool DealOutput(const PyModel& model, TakenArray* taken, Batch* batch) {
  if (taken->device) return DealDevice(model, *taken, batch);
  const PyTensorSpec& spec = model.outputs[taken->index];
  TensorView whole;
  const bool is_bytes = spec.type == DataType::kBytes;
  if (is_bytes) {
    whole.type = spec.type;
    whole.shape = ShapeOf(AsArray(taken->array));
  } else if (!MakeTensor(model, taken, &whole)) {
    return false;
  }
  const int64_t rows = std::max<int64_t>(whole.shape[0], 1);
  const int64_t row_elements = is_bytes ? PyArray_SIZE(AsArray(taken->array)) / rows : 0;
  const size_t row_size = whole.data.size / static_cast<size_t>(rows);
  int64_t row = 0;
  for (size_t i = 0; i < batch->requests.size(); ++i) {
    const InferRequest& request = *batch->requests[i];
    const int64_t count = request.batch_size;
    if (request.WantsOutput(taken->index)) {
      OutputTensor output{taken->index, {spec.type, whole.shape, {}}};
      output.tensor.shape.set(0, count);
      if (!is_bytes) {
        output.tensor.data = whole.data.Sub(row * row_size, count * row_size);
      } else if (!EncodeRows(spec, taken->array, row * row_elements, count * row_elements,
                             &output.tensor)) {
        return false;
      }
      batch->responses[i].outputs.push_back(std::move(output));
    }
    row += count;
  }
  return true;
}

}  // namespace

bool TakeRows(const PyModel& model, PyRef result, int64_t rows, std::vector<TakenArray>* taken) {
  if (TakeDict(model, result.get(), rows, taken) ||
      (PyErr_Occurred() == nullptr && TakeSequence(model, result.get(), rows, taken))) {
    return true;
  }
  if (PyErr_Occurred() != nullptr) return false;
  taken->clear();
  PyRef converted = PyRef::Steal(PyObject_CallMethod(model.binding.get(), "convert_rows", "OL",
                                                     result.get(), static_cast<long long>(rows)));
  if (converted && TakeDict(model, converted.get(), rows, taken)) return true;
  return FailConversion();
}

bool TakeList(const PyModel& model, PyRef result, size_t count,
              std::vector<std::vector<TakenArray>>* taken) {
  if (TakeDicts(model, result.get(), count, taken)) return true;
  if (PyErr_Occurred() != nullptr) return false;
  taken->clear();
  PyRef converted = PyRef::Steal(PyObject_CallMethod(model.binding.get(), "convert_list", "On",
                                                     result.get(), static_cast<Py_ssize_t>(count)));
  if (converted && TakeDicts(model, converted.get(), count, taken)) return true;
  return FailConversion();
}

bool MakeTensors(const PyModel& model, const InferRequest& request, std::vector<TakenArray>* taken,
                 OutputTensors* tensors) {
  for (TakenArray& array : *taken) {
    OutputTensor output;
    output.index = array.index;
    const bool is_made = array.device ? LandDevice(model, request, array.index,
                                                   std::move(*array.device), &output.tensor)
                                      : MakeTensor(model, &array, &output.tensor);
    if (!is_made) return false;
    tensors->push_back(std::move(output));
  }
  return true;
}

bool DealRows(const PyModel& model, std::vector<TakenArray>* taken, Batch* batch) {
  return std::all_of(taken->begin(), taken->end(),
                     [&](TakenArray& array) { return DealOutput(model, &array, batch); });
}

void KeepWanted(const InferRequest& request, OutputTensors* tensors) {
  if (request.requested_outputs.empty()) return;
  std::erase_if(*tensors,
                [&](const OutputTensor& tensor) { return !request.WantsOutput(tensor.index); });
}

}  // namespace pt::bindings
