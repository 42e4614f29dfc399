#include "bindings/hot/port.h"

#include <cstring>
#include <ctime>
#include <utility>

#include "bindings/hot/buffer.h"
#include "bindings/hot/records.h"

namespace pt::hot {
namespace {

// While batches wait, the server is woken only this often: one wake-up serves many answers.
constexpr int64_t kWakeNanoseconds = 100'000;
constexpr size_t kLargestElsewhere = size_t{2} << 30;

int64_t Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// False: a Python error is set.
bool AppendText(PyObject* text, std::string* out) {
  const PyRef encoded = PyRef::Steal(PyUnicode_AsEncodedString(text, "utf-8", "replace"));
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (!encoded || PyBytes_AsStringAndSize(encoded.get(), &data, &size) < 0) return false;
  out->append(data, static_cast<size_t>(size));
  return true;
}

}  // namespace

Port::Port(Parts parts) : parts_(std::move(parts)), main_(PyThread_get_thread_ident()) {}

PyRef Port::Receive(double seconds) {
  Ring::Received message;
  Ring::Found found = ring().Take(&message);
  if (found == Ring::Found::kNone) {
    ring().Wait(seconds);
    if (!ReturnInputs(Wake::kYes)) return {};
    found = ring().Take(&message);
    if (found == Ring::Found::kNone) return PyRef::Borrow(Py_None);
  }
  if (found == Ring::Found::kFailed) return {};
  std::string_view content = message.bytes;
  uint32_t loan = 0;
  if ((message.code & kElsewhere) != 0) {
    Pointer pointer;
    if (content.size() == sizeof pointer) std::memcpy(&pointer, content.data(), sizeof pointer);
    if (content.size() != sizeof pointer || !loans().Contains(pointer.offset, pointer.size)) {
      PyErr_SetString(PyExc_ValueError, "expected a message inside the server's memory");
      return {};
    }
    content = {loans().memory() + pointer.offset, pointer.size};
    loan = pointer.number;
  }
  const uint32_t code = message.code & ~kElsewhere;
  if (code == kBatch) return ReceiveBatch(content, loan);
  const PyRef bytes = PyRef::Steal(
      PyBytes_FromStringAndSize(content.data(), static_cast<Py_ssize_t>(content.size())));
  if (!EndMessage(loan) || !bytes) return {};
  return PyRef::Steal(Py_BuildValue("(IO)", static_cast<unsigned int>(code), bytes.get()));
}

PyRef Port::ReceiveBatch(std::string_view content, uint32_t loan) {
  const Decoder::Batch batch = decoder().Decode(content);
  if (!batch.requests) return {};
  sequence_ = batch.sequence;
  batch_size_ = PyList_Size(batch.requests.get());
  if (batch_size_ < 0) return {};
  ring().BeginBatch(sequence_);
  if (!EndMessage(loan)) return {};
  is_executing_ = true;
  began_ = Now();
  return PyRef::Steal(
      Py_BuildValue("(IO)", static_cast<unsigned int>(kBatch), batch.requests.get()));
}

// The message was read; one that lay in a loan gives that back.
bool Port::EndMessage(uint32_t loan) {
  ring().Taken();
  if (loan == 0) return true;
  const uint32_t returned[2] = {1, loan};
  return Send(kReturnInputs, BytesOf(returned));
}

bool Port::CanKeep() const {
  return is_executing_ && !is_kept_ && PyThread_get_thread_ident() == main_;
}

Port::Answered Port::Answer(PyObject* requests, PyObject* box, PyObject* response_type) {
  if (!CanKeep() || ring().is_left() || !PyList_Check(requests) || !PyList_Check(box)) {
    return Answered::kNo;
  }
  PyRef responses = PyRef::Borrow(PyList_GetItem(box, 0));
  if (!responses || Py_TYPE(responses.get()) != &PyList_Type ||
      PyList_Size(responses.get()) != batch_size_ || PyList_Size(requests) != batch_size_) {
    PyErr_Clear();
    return Answered::kNo;
  }
  Draft draft;
  if (!encoder().Read(requests, responses.get(), response_type, &draft)) return Answered::kNo;
  if (PyList_SetSlice(box, 0, PY_SSIZE_T_MAX, nullptr) < 0) return Answered::kFailed;
  loans().set_held(true);
  const bool is_placed = encoder().Place(&draft);
  if (is_placed) responses.Reset();  // from here on, only the model may have references
  if (!is_placed || !encoder().Settle(&draft)) {
    loans().set_held(false);
    return Answered::kFailed;
  }
  draft_ = std::move(draft);
  is_kept_ = true;
  return Answered::kYes;
}

bool Port::Keep(PyObject* payload, PyObject* lent) {
  if (!CanKeep()) return false;
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(payload, &data, &size) < 0) {
    PyErr_Clear();
    return false;
  }
  draft_ = Draft();
  draft_.bytes.assign(data, static_cast<size_t>(size));
  lent_ = PyRef::Borrow(lent);
  is_kept_ = true;
  return true;
}

bool Port::EndBatch(PyObject* failure) {
  is_executing_ = false;
  const int64_t now = Now();
  const bool is_soon = now - woke_ > kWakeNanoseconds || !ring().HasMessage();
  if (is_soon) woke_ = now;
  const Done done{sequence_, static_cast<uint64_t>(now - began_), failure != Py_None};
  std::string end(BytesOf(done));
  if (failure != Py_None && !AppendText(failure, &end)) return false;
  const bool is_kept = is_kept_;
  uint32_t code = kResponses;
  std::string responses;
  const bool is_finished = FinishKept(&code, &responses);
  loans().set_held(false);
  if (!is_finished) return false;
  std::string returned;  // in the same breath as the look at the loans, whatever is written first
  const bool has_returned = loans().TakeEnded(&returned);
  if (ring().is_left()) return true;
  if (is_kept && !ring().Write(code, responses)) return false;
  if (has_returned && !Send(kReturnInputs, returned)) return false;
  if (!Send(kBatchDone, end)) return false;
  return ring().Notify(is_soon ? Ring::Urgency::kNow : Ring::Urgency::kWhenItLooks);
}

// Makes what was kept a message. Afterwards nothing is kept, and nothing here holds a loan.
bool Port::FinishKept(uint32_t* code, std::string* message) {
  if (!is_kept_) return true;
  Draft draft = std::exchange(draft_, Draft());
  const PyRef lent = std::exchange(lent_, PyRef());
  is_kept_ = false;
  bool has_called = false;
  bool is_ready = encoder().Finish(&draft, &has_called);
  if (draft.bytes.size() <= Ring::kLargest) {
    *message = std::move(draft.bytes);
  } else {
    std::string_view payload = draft.bytes;
    Pointer pointer;
    has_called = true;
    is_ready = is_ready && MoveLarge(code, &payload, &pointer);
    *message = std::string(is_ready ? payload : std::string_view());
  }
  if (has_called) loans().ForgetFindings();
  return is_ready;
}

bool Port::MoveLarge(uint32_t* code, std::string_view* payload, Pointer* pointer) {
  if (payload->size() <= Ring::kLargest) return true;
  if (payload->size() > kLargestElsewhere) {
    PyErr_Format(PyExc_ValueError, "expected at most 2 GiB for the server, got %zu bytes",
                 payload->size());
    return false;
  }
  const PassingView view(*payload);
  if (!view) return false;
  const PyRef place =
      PyRef::Steal(PyObject_CallMethod(parts_.results.get(), "put", "O", view.get()));
  if (!place) return false;
  unsigned int slot = 0;
  unsigned long long offset = 0;
  if (!PyArg_ParseTuple(place.get(), "IK", &slot, &offset)) return false;
  *pointer = {offset, payload->size(), slot};
  *payload = BytesOf(*pointer);
  *code |= kElsewhere;
  return true;
}

bool Port::Send(uint32_t code, std::string_view payload) {
  if (ring().is_left()) return true;
  Pointer pointer;
  return MoveLarge(&code, &payload, &pointer) && ring().Write(code, payload);
}

bool Port::ReturnInputs(Wake wake) {
  std::string returned;
  if (!loans().TakeEnded(&returned)) return true;
  if (!Send(kReturnInputs, returned)) return false;
  return wake == Wake::kNo || ring().Notify(Ring::Urgency::kNow);
}

}  // namespace pt::hot
