// Encoder: the only responses of a batch's requests as one message (the twin in Python is `Encoder`
// of backends/_messages.py), for what is common: no errors, no parameters, nobody else answers.
//
// What is odd is left to the twin: reading a batch changes nothing, so it can begin anew.
//
// Thread rule: with the interpreter lock held; where Python code runs, other threads do, too. Owner
// rule: owns references to Python's side; borrows the loans.
#pragma once

#include <Python.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bindings/hot/loans.h"
#include "bindings/py_ref.h"

namespace pt::hot {

using bindings::PyRef;

// A message that is being written.
class Draft {
 public:
  std::string bytes;

 private:
  friend class Encoder;
  // A tensor whose bytes don't go through the ring.
  struct Large {
    size_t at = 0;  // of its head in `bytes`
    const char* data = nullptr;
    size_t size = 0;
    PyRef array;  // until it is known where its bytes are sent from
    PyRef slot;   // of the arena that it was born in, else null
  };
  std::vector<Large> larges_;
};

class Encoder {
 public:
  Encoder(Loans* loans, PyRef results) : loans_(loans), results_(std::move(results)) {}
  // False: a Python error is set.
  bool Prepare();
  // The model's outputs: a dict of names to places.
  void SetNames(PyRef places) { places_ = std::move(places); }

  // Writes the answers; false: the twin has to do it (no error is set). REQUIRES: `requests` and
  // `responses` are lists of the same length.
  bool Read(PyObject* requests, PyObject* responses, PyObject* response_type, Draft* draft);
  // Decides where large outputs are sent from; those that lie in loans wait for Finish. Lets go of
  // the arrays. False: a Python error is set.
  bool Place(Draft* draft);
  // The same for arrays that were born in the arena, once nobody here refers to them any more.
  bool Settle(Draft* draft);
  // And for outputs that lie in loans, when the batch has ended: as Loans::Find. Sets
  // `has_called` if other threads may have run since the first was looked at.
  bool Finish(Draft* draft, bool* has_called);

 private:
  struct Output;
  struct Names;
  enum class Rows { kNone, kAfterFirst };
  bool ReadAll(PyObject* requests, PyObject* responses, Rows rows, Draft* draft);
  bool ReadKey(PyObject* request, uint64_t* key) const;
  PyRef TensorsOf(PyObject* response) const;
  bool ReadAnswer(uint64_t key, PyObject* tensors, Draft* draft, std::vector<Output>* outputs);
  bool ReadRow(uint64_t key, PyObject* tensors, const std::vector<Output>& first, Draft* draft);
  bool ReadOutput(PyObject* tensor, Output* output) const;
  PyRef Copy(PyObject* array) const;
  static bool Fill(Draft* draft, const Draft::Large& large, PyObject* slot_and_offset);
  PyRef Get(PyObject* object, const PyRef& name) const {
    return PyRef::Steal(PyObject_GetAttr(object, name.get()));
  }

  Loans* const loans_;
  const PyRef results_;
  PyRef places_;
  PyObject* response_type_ = nullptr;  // while Read runs
  PyRef sender_, release_, raw_;       // names of attributes
  PyRef error_, parameters_, tensors_;
  PyRef name_, code_, shape_, data_;
  PyRef send_born_, settle_, find_, copy_;
};

}  // namespace pt::hot
