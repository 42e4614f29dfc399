#include "bindings/hot/loan_buffer.h"

#include "bindings/hot/buffer.h"

namespace pt::hot {
namespace {

struct LoanBuffer {
  PyObject base;
  PyObject* owner;  // null: nothing was lent
  Loans* loans;
  Loans::Place loan;
  Py_ssize_t size;
};

LoanBuffer* Cast(PyObject* self) { return reinterpret_cast<LoanBuffer*>(self); }

void DeallocLoan(PyObject* self) {
  LoanBuffer* const buffer = Cast(self);
  if (buffer->owner != nullptr) {
    buffer->loans->End(buffer->loan);
    Py_DECREF(buffer->owner);
  }
  FreeInstance(self);
}

Py_ssize_t Length(PyObject* self) { return Cast(self)->size; }

int GetBuffer(PyObject* self, Buffer* view, int flags) {
  LoanBuffer* const buffer = Cast(self);
  Py_INCREF(self);
  view->obj = self;
  view->buf = buffer->loans->memory() + buffer->loan->offset;
  view->len = buffer->size;
  view->itemsize = 1;
  view->readonly = 0;
  view->ndim = 1;
  static char format[] = "B";
  view->format = (flags & kFormat) != 0 ? format : nullptr;
  view->shape = (flags & kShape) != 0 ? &view->len : nullptr;
  view->strides = (flags & kStrides) == kStrides ? &view->itemsize : nullptr;
  view->suboffsets = nullptr;
  view->internal = nullptr;
  return 0;
}

PyObject* RefuseNew(PyTypeObject* /*type*/, PyObject* /*args*/, PyObject* /*kwargs*/) {
  PyErr_SetString(PyExc_TypeError, "loans are made by the channel alone");
  return nullptr;
}

}  // namespace

PyObject* MakeLoanBufferType() {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(&DeallocLoan)},
      {Py_tp_new, reinterpret_cast<void*>(&RefuseNew)},
      {Py_sq_length, reinterpret_cast<void*>(&Length)},
      {kSlotGetBuffer, reinterpret_cast<void*>(&GetBuffer)},
      {0, nullptr},
  };
  PyType_Spec spec{"pytriton_worker._hot.Loan", sizeof(LoanBuffer), 0, Py_TPFLAGS_DEFAULT, slots};
  return PyType_FromSpec(&spec);
}

PyObject* MakeLoanBuffer(PyObject* type, PyObject* owner, Loans* loans, const LoanPart& part) {
  if (!loans->Contains(part.offset, part.size)) {
    PyErr_SetString(PyExc_ValueError, "expected a loan inside the server's memory");
    return nullptr;
  }
  auto self = bindings::PyRef::Steal(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(type), 0));
  if (!self) return nullptr;
  LoanBuffer* const buffer = Cast(self.get());
  buffer->loans = loans;
  buffer->loan = loans->Begin(part.number, part.offset, part.size);
  buffer->size = static_cast<Py_ssize_t>(part.size);
  Py_INCREF(owner);
  buffer->owner = owner;  // from here on the loan ends with it
  return self.Release();
}

void FreeInstance(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  const auto release = reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free));
  release(self);
  Py_DECREF(reinterpret_cast<PyObject*>(type));
}

}  // namespace pt::hot
