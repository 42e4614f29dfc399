// Port: the hot path of a worker, from a message of the server to the end of a batch (the twins in
// Python are Link, Ring, Loans, Decoder and Encoder of pytriton/backends).
//
// Thread rule: with the interpreter lock held; Receive, Answer and EndBatch on the main thread, the
// others on any. Owner rule: owns what it is made of, but for the memory of the ring, which the
// object behind `memory` keeps.
#pragma once

#include <Python.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "bindings/hot/decoder.h"
#include "bindings/hot/encoder.h"
#include "bindings/hot/loans.h"
#include "bindings/hot/records.h"
#include "bindings/hot/requests.h"
#include "bindings/hot/ring.h"
#include "bindings/py_ref.h"

namespace pt::hot {

class Port {
 public:
  struct Parts {
    PyRef memory;   // of the ring
    PyRef results;  // where large messages go
    std::unique_ptr<Ring> ring;
    std::unique_ptr<Loans> loans;
    std::unique_ptr<Decoder> decoder;
    std::unique_ptr<Encoder> encoder;
    std::unique_ptr<Requests> requests;
  };
  explicit Port(Parts parts);

  Ring& ring() { return *parts_.ring; }
  Loans& loans() { return *parts_.loans; }
  Decoder& decoder() { return *parts_.decoder; }
  Encoder& encoder() { return *parts_.encoder; }
  const Requests& requests() const { return *parts_.requests; }
  PyObject* memory() const { return parts_.memory.get(); }
  bool is_executing() const { return is_executing_; }

  // The next message as a tuple of its type and its content: requests (a list) or bytes. Waits up
  // to so long for one (0: for ever). None: none came. Null: a Python error is set.
  PyRef Receive(double seconds);
  // Answers the running batch by the responses in `box`, a list with what the model has returned,
  // which is emptied. Yes: they go with the batch's end. No: the twin has to do it.
  enum class Answered { kYes, kNo, kFailed };
  Answered Answer(PyObject* requests, PyObject* box, PyObject* response_type);
  // Keeps a message of responses until the batch ends, and what its loans are views of. False: the
  // caller has to send it now.
  bool Keep(PyObject* payload, PyObject* lent);
  // Sends what was kept, ended loans and the end of the batch; `failure` is a str or None. False: a
  // Python error is set, what was kept is lost, and the batch hasn't ended.
  bool EndBatch(PyObject* failure);

  // Writes a message of any size. False: a Python error is set.
  bool Send(uint32_t code, std::string_view payload);
  // Gives ended loans back.
  enum class Wake { kNo, kYes };
  bool ReturnInputs(Wake wake);

 private:
  PyRef ReceiveBatch(std::string_view content, uint32_t loan);
  bool EndMessage(uint32_t loan);
  bool FinishKept(uint32_t* code, std::string* message);
  // Moves a payload that is too large for the ring to the results; what is sent in its place is
  // `pointer`. False: a Python error is set.
  bool MoveLarge(uint32_t* code, std::string_view* payload, Pointer* pointer);
  bool CanKeep() const;

  Parts parts_;
  const unsigned long main_;
  bool is_executing_ = false;
  uint32_t sequence_ = 0;
  Py_ssize_t batch_size_ = 0;
  int64_t began_ = 0;  // in nanoseconds
  int64_t woke_ = 0;
  bool is_kept_ = false;  // responses wait for the end of the batch: `draft_`
  Draft draft_;
  PyRef lent_;
};

}  // namespace pt::hot
