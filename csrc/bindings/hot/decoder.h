// Decoder: batches as lists of RawRequest (the twin in Python is `Decoder` of
// backends/_messages.py). Parameters, and the rows that follow a request, are read by the twin's
// functions.
//
// Thread rule: with the interpreter lock held. Owner rule: owns references to what it makes
// requests of; borrows the loans.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string_view>

#include "bindings/hot/loans.h"
#include "bindings/py_ref.h"

namespace pt::hot {

using bindings::PyRef;

class Decoder {
 public:
  // Python's side, new references.
  struct Parts {
    PyRef request_type;     // RawRequest
    PyRef new_tuple;        // tuple.__new__
    PyRef read_parameters;  // (data, count) -> JSON text, trace or None, size in bytes
    PyRef read_rows;        // (first request, data) -> requests
    PyRef loan_type;
  };
  // `owner` owns the loans and this.
  Decoder(Parts parts, PyObject* owner, Loans* loans);
  // False: a Python error is set.
  bool Prepare();

  // The model's tensors: a list and a tuple of names.
  void SetNames(PyRef inputs, PyRef outputs);

  struct Batch {
    uint32_t sequence = 0;
    PyRef requests;  // a list; null: a Python error is set
  };
  Batch Decode(std::string_view message);
  // An array over a loan; null: a Python error is set.
  PyRef TakeLoan(uint32_t number, uint64_t offset, uint64_t size);

 private:
  struct Reader;
  PyRef DecodeRequest(Reader* reader);
  PyRef DecodeInputs(Reader* reader, size_t count);
  PyRef DecodeTensor(Reader* reader);
  PyRef Wanted(Reader* reader, size_t count);
  bool DecodeParameters(Reader* reader, uint32_t count, PyRef* values, PyRef* trace);

  const Parts parts_;
  PyObject* const owner_;
  Loans* const loans_;
  PyRef inputs_;
  PyRef outputs_;
  PyRef no_text_;
  PyRef no_parameters_;  // "{}"
};

}  // namespace pt::hot
