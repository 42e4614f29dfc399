// PyRef: owns one Python reference. Cheaper and stricter than pybind11's object: never throws.
//
// Thread rule: created, copied and destroyed only with the interpreter lock held; moving an empty
// one or testing it needs no lock.
#pragma once

#include <Python.h>

#include <utility>

namespace pt::bindings {

class PyRef {
 public:
  PyRef() = default;
  PyRef(PyRef&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  PyRef& operator=(PyRef&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  PyRef(const PyRef&) = delete;
  PyRef& operator=(const PyRef&) = delete;
  ~PyRef() { Py_XDECREF(object_); }

  // Takes over a new reference (may be null: a Python error is set then).
  static PyRef Steal(PyObject* object) { return PyRef(object); }
  // Adds a reference to a borrowed one.
  static PyRef Borrow(PyObject* object) { return PyRef(WithRef(object)); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  [[nodiscard]] PyObject* Release() { return std::exchange(object_, nullptr); }
  void Reset() { Py_CLEAR(object_); }

 private:
  static PyObject* WithRef(PyObject* object) {
    Py_XINCREF(object);
    return object;
  }
  explicit PyRef(PyObject* object) : object_(object) {}
  PyObject* object_ = nullptr;
};

}  // namespace pt::bindings
