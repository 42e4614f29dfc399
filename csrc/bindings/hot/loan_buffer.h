// LoanBuffer: the Python object over a loan's bytes: a writable buffer, with a length. The loan
// ends with its last view.
//
// Thread rule: with the interpreter lock held. Owner rule: keeps the object that owns the loans
// alive.
#pragma once

#include <Python.h>

#include <cstdint>

#include "bindings/hot/loans.h"

namespace pt::hot {

// The type, a new reference; null: a Python error is set.
PyObject* MakeLoanBufferType();

// What of the shared memory is lent.
struct LoanPart {
  uint32_t number = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// A buffer of that type over a loan that begins now; null: a Python error is set. `owner` owns
// `loans`.
PyObject* MakeLoanBuffer(PyObject* type, PyObject* owner, Loans* loans, const LoanPart& part);

// Frees an instance of a type that was made of slots. To be called last by its tp_dealloc.
void FreeInstance(PyObject* self);

}  // namespace pt::hot
