// The buffer protocol, which belongs to the limited API from CPython 3.11 on only.
//
// What is declared here has been the same since CPython 3.3: the functions were exported by every
// version, and 3.11 has frozen this layout of Py_buffer and these numbers. Types with a buffer can
// be made of slots since 3.9, so that older interpreters don't load this module (`_native.py`).
//
// Thread rule: with the interpreter lock held. Owner rule: BufferView owns its export.
#pragma once

#include <Python.h>

#include <string_view>

#include "bindings/py_ref.h"

namespace pt::hot {

// Py_buffer.
struct Buffer {
  void* buf;
  PyObject* obj;
  Py_ssize_t len;
  Py_ssize_t itemsize;
  int readonly;
  int ndim;
  char* format;
  Py_ssize_t* shape;
  Py_ssize_t* strides;
  Py_ssize_t* suboffsets;
  void* internal;
};

inline constexpr int kSimple = 0;         // PyBUF_SIMPLE: contiguous bytes
inline constexpr int kWritable = 1;       // PyBUF_WRITABLE
inline constexpr int kFormat = 4;         // PyBUF_FORMAT
inline constexpr int kShape = 8;          // PyBUF_ND
inline constexpr int kStrides = 0x18;     // PyBUF_STRIDES
inline constexpr int kReadView = 0x100;   // PyBUF_READ
inline constexpr int kSlotGetBuffer = 1;  // Py_bf_getbuffer

extern "C" {
PyAPI_FUNC(int) PyObject_GetBuffer(PyObject* object, Buffer* view, int flags);
PyAPI_FUNC(void) PyBuffer_Release(Buffer* view);
}

// The bytes of an object, contiguous. Not open: a Python error is set.
class BufferView {
 public:
  explicit BufferView(PyObject* object, int flags = kSimple)
      : is_open_(PyObject_GetBuffer(object, &view_, flags) == 0) {}
  ~BufferView() {
    if (is_open_) PyBuffer_Release(&view_);
  }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;

  bool is_open() const { return is_open_; }
  char* data() const { return static_cast<char*>(view_.buf); }
  size_t size() const { return static_cast<size_t>(view_.len); }
  std::string_view bytes() const { return {data(), size()}; }

 private:
  Buffer view_{};
  const bool is_open_;
};

// A memoryview of bytes that end before Python does: whoever keeps it finds it released, be it the
// frame of a function that has failed.
class PassingView {
 public:
  explicit PassingView(std::string_view bytes)
      : view_(bindings::PyRef::Steal(PyMemoryView_FromMemory(
            const_cast<char*>(bytes.data()), static_cast<Py_ssize_t>(bytes.size()), kReadView))) {}
  ~PassingView() {
    if (!view_) return;
    PyObject* type = nullptr;
    PyObject* value = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    if (!Release()) PyErr_Clear();
    PyErr_Restore(type, value, traceback);
  }
  PassingView(const PassingView&) = delete;
  PassingView& operator=(const PassingView&) = delete;

  // False: a Python error is set.
  explicit operator bool() const { return static_cast<bool>(view_); }
  PyObject* get() const { return view_.get(); }
  // Ends it now. False, with a Python error: somebody has a buffer of it.
  bool Release() const {
    return static_cast<bool>(
        bindings::PyRef::Steal(PyObject_CallMethod(view_.get(), "release", nullptr)));
  }

 private:
  const bindings::PyRef view_;
};

}  // namespace pt::hot
