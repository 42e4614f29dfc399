#include "bindings/py_tensor.h"

#include <cstring>

#include "bindings/numpy_api.h"

namespace pt::bindings {
namespace {

constexpr size_t kPrefix = 4;

void AppendElement(std::string_view element, std::string* out) {
  const uint32_t length = static_cast<uint32_t>(element.size());
  char prefix[kPrefix];
  std::memcpy(prefix, &length, kPrefix);
  out->append(prefix, kPrefix);
  out->append(element);
}

bool EncodeObjects(PyObject** objects, int64_t count, std::string* out) {
  for (int64_t i = 0; i < count; ++i) {
    if (objects[i] == nullptr || !PyBytes_Check(objects[i])) return false;
    AppendElement(
        {PyBytes_AS_STRING(objects[i]), static_cast<size_t>(PyBytes_GET_SIZE(objects[i]))}, out);
  }
  return true;
}

// Fixed-width elements; numpy pads with NUL bytes and does not count them as content.
void EncodeFixed(const char* data, int64_t count, size_t width, std::string* out) {
  for (int64_t i = 0; i < count; ++i) {
    std::string_view element(data + i * width, width);
    const size_t last = element.find_last_not_of('\0');
    AppendElement(element.substr(0, last == std::string_view::npos ? 0 : last + 1), out);
  }
}

bool EncodeUnicode(const char* data, int64_t count, size_t width, std::string* out) {
  for (int64_t i = 0; i < count; ++i) {
    const auto* letters = reinterpret_cast<const Py_UCS4*>(data + i * width);
    size_t length = width / sizeof(Py_UCS4);
    while (length > 0 && letters[length - 1] == 0) --length;
    PyRef text = PyRef::Steal(
        PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, letters, static_cast<Py_ssize_t>(length)));
    Py_ssize_t size = 0;
    const char* utf8 = text ? PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
    if (utf8 == nullptr) {  // a lone surrogate
      PyErr_Clear();
      return false;
    }
    AppendElement({utf8, static_cast<size_t>(size)}, out);
  }
  return true;
}

}  // namespace

void WidenBf16(const char* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t half;
    std::memcpy(&half, from + i * sizeof(half), sizeof(half));
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    std::memcpy(to + i, &bits, sizeof(bits));
  }
}

void NarrowBf16(const float* from, char* to, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof(bits));
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    // Rounding could carry a NaN's payload away; a quiet NaN keeps its sign instead.
    const uint32_t rounded = is_nan ? bits | 0x00400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
    const uint16_t half = static_cast<uint16_t>(rounded >> 16);
    std::memcpy(to + i * sizeof(half), &half, sizeof(half));
  }
}

PyRef ViewArray(const PyTensorSpec& spec, const Shape& shape, char* data, BlockOwnerObject* owner) {
  auto* descr = reinterpret_cast<PyArray_Descr*>(spec.dtype.get());
  Py_INCREF(descr);  // PyArray_NewFromDescr takes one over
  static_assert(sizeof(npy_intp) == sizeof(int64_t));
  const auto* dims = reinterpret_cast<const npy_intp*>(shape.dims().data());
  PyRef array = PyRef::Steal(PyArray_NewFromDescr(&PyArray_Type, descr, shape.rank(), dims, nullptr,
                                                  data, NPY_ARRAY_CARRAY, nullptr));
  if (!array) return {};
  Py_INCREF(owner);  // PyArray_SetBaseObject takes one over, also when it fails
  if (PyArray_SetBaseObject(reinterpret_cast<PyArrayObject*>(array.get()),
                            reinterpret_cast<PyObject*>(owner)) != 0) {
    return {};
  }
  return array;
}

void MakeReadOnly(PyObject* array) {
  PyArray_CLEARFLAGS(reinterpret_cast<PyArrayObject*>(array), NPY_ARRAY_WRITEABLE);
}

PyRef DecodeBytesArray(const Shape& shape, const std::vector<std::string_view>& parts) {
  const auto* dims = reinterpret_cast<const npy_intp*>(shape.dims().data());
  PyRef array = PyRef::Steal(PyArray_SimpleNew(shape.rank(), dims, NPY_OBJECT));
  if (!array) return {};
  auto* typed = reinterpret_cast<PyArrayObject*>(array.get());
  auto** slot = static_cast<PyObject**>(PyArray_DATA(typed));
  PyObject** const end = slot + PyArray_SIZE(typed);
  for (std::string_view part : parts) {
    while (part.size() >= kPrefix && slot != end) {
      uint32_t length;
      std::memcpy(&length, part.data(), kPrefix);
      part.remove_prefix(kPrefix);
      if (length > part.size()) break;
      PyObject* element = PyBytes_FromStringAndSize(part.data(), length);
      if (element == nullptr) return {};
      Py_XSETREF(*slot, element);
      ++slot;
      part.remove_prefix(length);
    }
    if (!part.empty()) break;
  }
  if (slot != end) {  // validation checked the elements, so this is a bug of ours
    PyErr_SetString(PyExc_SystemError, "BYTES tensor holds fewer elements than its shape says");
    return {};
  }
  return array;
}

bool EncodeBytesArray(PyObject* array, int64_t first, int64_t count, std::string* out) {
  auto* typed = reinterpret_cast<PyArrayObject*>(array);
  const size_t width = static_cast<size_t>(PyArray_ITEMSIZE(typed));
  const char* data = static_cast<const char*>(PyArray_DATA(typed)) + first * width;
  switch (PyArray_TYPE(typed)) {
    case NPY_OBJECT:
      return EncodeObjects(static_cast<PyObject**>(PyArray_DATA(typed)) + first, count, out);
    case NPY_STRING:
      EncodeFixed(data, count, width, out);
      return true;
    case NPY_UNICODE:
      return EncodeUnicode(data, count, width, out);
    default:
      return false;
  }
}

}  // namespace pt::bindings
