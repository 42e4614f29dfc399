// Requests: what a model is given for a batch, objects of the host's classes (the twins in Python
// are ServedRequest's constructor, `inputs` and Tensor.as_numpy in backends/python).
//
// Thread rule: with the interpreter lock held. Owner rule: owns references to names alone.
#pragma once

#include <Python.h>

#include "bindings/py_ref.h"

namespace pt::hot {

using bindings::PyRef;

class Requests {
 public:
  // The host's classes, borrowed for a call.
  struct Classes {
    PyObject* request = nullptr;
    PyObject* tensor = nullptr;
    PyObject* array = nullptr;   // numpy.ndarray
    PyObject* dtypes = nullptr;  // a dict: by number, those that numpy has
    PyObject* host = nullptr;
  };

  // False: a Python error is set.
  bool Prepare();
  // A list of requests with their tensors. Null: a Python error is set. REQUIRES: `batch` is a
  // list.
  PyRef Make(PyObject* batch, const Classes& classes) const;

 private:
  PyRef MakeOne(PyObject* raw, const Classes& classes) const;
  PyRef MakeTensor(PyObject* raw, const Classes& classes) const;
  static PyRef MakeArray(PyObject* raw, const Classes& classes);

  PyRef raw_, host_, inputs_, sender_, release_;
  PyRef name_, code_, shape_, data_, array_;
  PyRef release_all_;  // 1
};

}  // namespace pt::hot
