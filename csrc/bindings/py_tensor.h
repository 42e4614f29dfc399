// PyTensorSpec and conversions between a tensor's bytes and a numpy array.
//
// BYTES tensors are object arrays of bytes. BF16 tensors are float32 arrays, unless the model was
// declared with a two-byte numpy type of its own (ml_dtypes): then its bytes are used as they are.
// Thread rule: functions that take or give Python objects need the interpreter lock.
#pragma once

#include <Python.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bindings/native_types.h"
#include "bindings/py_ref.h"
#include "tensor/tensor.h"

namespace pt::bindings {

// One input or output of a model as Python sees it.
struct PyTensorSpec {
  std::string name;
  DataType type = DataType::kInvalid;
  Shape dims;        // without the batch dimension
  PyRef py_name;     // interned str
  PyRef dtype;       // numpy.dtype of the arrays
  int type_num = 0;  // its number
  int device = -1;   // inputs only: whose memory the callable wants the bytes in; -1: the host's
  bool follows_instance = false;  // on the device of the instance that runs, not on `device`
  // BF16 as float32: the bytes differ between wire and array.
  bool is_widened = false;
};

// bfloat16 <-> float32; the latter rounds to nearest even. `count` elements.
void WidenBf16(const char* from, float* to, int64_t count);
void NarrowBf16(const float* from, char* to, int64_t count);

// An array over `data`, writable, with `owner` as its base object. Null with a Python error set.
PyRef ViewArray(const PyTensorSpec& spec, const Shape& shape, char* data, BlockOwnerObject* owner);

// Takes an array's right to be written.
void MakeReadOnly(PyObject* array);

// An object array of `bytes` from length-prefixed elements that follow each other in `parts`.
// Null with a Python error set.
PyRef DecodeBytesArray(const Shape& shape, const std::vector<std::string_view>& parts);

// Length-prefixed elements of array[first, first + count) in C order. `array` is a contiguous array
// of kind O (of bytes), S or U. False when an element is none of bytes; no Python error is set
// then.
bool EncodeBytesArray(PyObject* array, int64_t first, int64_t count, std::string* out);

}  // namespace pt::bindings
