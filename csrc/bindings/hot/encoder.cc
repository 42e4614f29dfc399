#include "bindings/hot/encoder.h"

#include <cstring>
#include <utility>

#include "bindings/hot/buffer.h"
#include "bindings/hot/records.h"

namespace pt::hot {
namespace {

constexpr size_t kLarge = size_t{16} << 10;  // larger outputs don't go through the ring
constexpr uint8_t kBytes = 13;               // data type: elements of any size
constexpr Py_ssize_t kMostDims = 64;
constexpr uint8_t kFinal = 1;

template <typename T>
void Put(const T& value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A number that is an int itself and lies in bounds. No error is set.
bool SmallNumber(PyObject* object, long most, long* value) {
  if (object == nullptr || Py_TYPE(object) != &PyLong_Type) return false;
  *value = PyLong_AsLong(object);
  if (*value == -1 && PyErr_Occurred() != nullptr) PyErr_Clear();
  return 0 <= *value && *value <= most;
}

bool IsExactList(PyObject* object) { return object != nullptr && Py_TYPE(object) == &PyList_Type; }

// The item, with a reference: a list may be changed by whatever runs meanwhile.
PyRef ItemOf(PyObject* list, Py_ssize_t index) {
  return PyRef::Borrow(PyList_GetItem(list, index));
}

}  // namespace

// One output of a response, as far as it is the same in rows that follow.
struct Encoder::Output {
  bool is_known = false;  // the configuration names it
  TensorHead head{};
  int64_t dims[kMostDims];
  PyRef array;

  size_t dims_size() const { return head.rank * sizeof dims[0]; }
  bool IsLike(const Output& other) const {
    return std::memcmp(&head, &other.head, sizeof head) == 0 &&
           std::memcmp(dims, other.dims, dims_size()) == 0;
  }
};

bool Encoder::Prepare() {
  const std::pair<PyRef*, const char*> names[] = {
      {&sender_, "_sender"},
      {&release_, "_release"},
      {&raw_, "_raw"},
      {&error_, "_error"},
      {&parameters_, "_parameters"},
      {&tensors_, "_tensors"},
      {&name_, "_name"},
      {&code_, "_code"},
      {&shape_, "_shape"},
      {&data_, "_data"},
      {&send_born_, "send_born"},
      {&settle_, "settle"},
      {&find_, "find"},
      {&copy_, "copy"},
  };
  for (const auto& [ref, text] : names) {
    *ref = PyRef::Steal(PyUnicode_InternFromString(text));
    if (!*ref) return false;
  }
  places_ = PyRef::Steal(PyDict_New());
  return static_cast<bool>(places_);
}

bool Encoder::Read(PyObject* requests, PyObject* responses, PyObject* response_type, Draft* draft) {
  response_type_ = response_type;
  const Rows rows = PyList_Size(responses) > 1 ? Rows::kAfterFirst : Rows::kNone;
  bool is_read = ReadAll(requests, responses, rows, draft);
  if (!is_read && rows == Rows::kAfterFirst) {
    PyErr_Clear();
    is_read = ReadAll(requests, responses, Rows::kNone, draft);
  }
  PyErr_Clear();
  return is_read;
}

bool Encoder::ReadAll(PyObject* requests, PyObject* responses, Rows rows, Draft* draft) {
  const auto count = static_cast<uint32_t>(PyList_Size(responses));
  std::vector<Output> outputs;  // of the first one
  draft->bytes.clear();
  draft->larges_.clear();
  Put(rows == Rows::kNone ? count : count | kRowsFollow, &draft->bytes);
  for (uint32_t i = 0; i < count; ++i) {
    const PyRef request = ItemOf(requests, i);
    const PyRef response = ItemOf(responses, i);
    uint64_t key = 0;
    if (!request || !response || !ReadKey(request.get(), &key)) return false;
    const PyRef tensors = TensorsOf(response.get());
    if (!tensors) return false;
    if (i == 0 || rows == Rows::kNone) {
      outputs.clear();
      if (!ReadAnswer(key, tensors.get(), draft, &outputs)) return false;
    } else if (!ReadRow(key, tensors.get(), outputs, draft)) {
      return false;
    }
    if (i > 0 || rows == Rows::kNone) continue;
    // Rows can follow outputs of a fixed size alone.
    if (outputs.empty() || !draft->larges_.empty()) return false;
    for (const Output& output : outputs) {
      if (!output.is_known || output.head.dtype == kBytes) return false;
    }
  }
  return true;
}

bool Encoder::ReadKey(PyObject* request, uint64_t* key) const {
  if (Get(request, sender_).get() != Py_None) return false;
  long flags = 0;
  if (!SmallNumber(Get(request, release_).get(), 1, &flags) || flags != 1) return false;
  const PyRef raw = Get(request, raw_);
  if (!raw || !PyTuple_Check(raw.get()) || PyTuple_Size(raw.get()) < 1) return false;
  *key = PyLong_AsUnsignedLongLong(PyTuple_GetItem(raw.get(), 0));
  return PyErr_Occurred() == nullptr;
}

PyRef Encoder::TensorsOf(PyObject* response) const {
  if (reinterpret_cast<PyObject*>(Py_TYPE(response)) != response_type_) return {};
  if (Get(response, error_).get() != Py_None) return {};
  const PyRef parameters = Get(response, parameters_);
  if (!parameters || !PyUnicode_Check(parameters.get())) return {};
  if (PyUnicode_GetLength(parameters.get()) != 0) return {};
  PyRef tensors = Get(response, tensors_);
  return IsExactList(tensors.get()) ? std::move(tensors) : PyRef();
}

bool Encoder::ReadAnswer(uint64_t key, PyObject* tensors, Draft* draft,
                         std::vector<Output>* outputs) {
  std::string& bytes = draft->bytes;
  const size_t at = bytes.size();
  ResponseHead response{key, kFinal, 0, 0, 0, 0, 0};
  Put(response, &bytes);
  for (Py_ssize_t i = 0; i < PyList_Size(tensors); ++i) {
    const PyRef tensor = ItemOf(tensors, i);
    Output& output = outputs->emplace_back();
    if (!tensor || !ReadOutput(tensor.get(), &output)) return false;
    if (!output.is_known) continue;
    if (++response.outputs == UINT16_MAX) return false;
    const BufferView view(output.array.get());
    if (!view.is_open()) return false;
    output.head.size = view.size();
    if (view.size() >= kLarge) {
      draft->larges_.push_back(
          {bytes.size(), view.data(), view.size(), PyRef::Borrow(output.array.get()), {}});
    }
    Put(output.head, &bytes);
    bytes.append(reinterpret_cast<const char*>(output.dims), output.dims_size());
    if (view.size() < kLarge) bytes.append(view.bytes());
  }
  std::memcpy(bytes.data() + at, &response, sizeof response);
  return true;
}

bool Encoder::ReadRow(uint64_t key, PyObject* tensors, const std::vector<Output>& first,
                      Draft* draft) {
  if (PyList_Size(tensors) != static_cast<Py_ssize_t>(first.size())) return false;
  Put(key, &draft->bytes);
  for (size_t i = 0; i < first.size(); ++i) {
    const PyRef tensor = ItemOf(tensors, static_cast<Py_ssize_t>(i));
    Output output;
    if (!tensor || !ReadOutput(tensor.get(), &output) || !output.is_known) return false;
    const BufferView view(output.array.get());
    if (!view.is_open()) return false;
    output.head.size = view.size();
    if (!output.IsLike(first[i])) return false;
    draft->bytes.append(view.bytes());
  }
  return true;
}

bool Encoder::ReadOutput(PyObject* tensor, Output* output) const {
  const PyRef name = Get(tensor, name_);
  if (!name || Py_TYPE(name.get()) != &PyUnicode_Type) return false;
  PyObject* const place = PyDict_GetItemWithError(places_.get(), name.get());
  if (place == nullptr) return PyErr_Occurred() == nullptr;
  long index = 0;
  long dtype = 0;
  if (!SmallNumber(place, UINT16_MAX, &index)) return false;
  if (!SmallNumber(Get(tensor, code_).get(), UINT8_MAX, &dtype)) return false;
  output->array = Get(tensor, data_);
  if (!output->array) return false;
  const PyRef shape = Get(tensor, shape_);
  if (!shape || Py_TYPE(shape.get()) != &PyTuple_Type) return false;
  const Py_ssize_t rank = PyTuple_Size(shape.get());
  if (rank > kMostDims) return false;
  for (Py_ssize_t i = 0; i < rank; ++i) {
    PyObject* const dim = PyTuple_GetItem(shape.get(), i);
    if (Py_TYPE(dim) != &PyLong_Type) return false;
    output->dims[i] = PyLong_AsLongLong(dim);
    if (output->dims[i] == -1 && PyErr_Occurred() != nullptr) return false;
  }
  output->head = {static_cast<uint16_t>(index),
                  static_cast<uint8_t>(dtype),
                  static_cast<uint8_t>(rank),
                  kInMessage,
                  0,
                  0,
                  0,
                  0};
  output->is_known = true;
  return true;
}

bool Encoder::Place(Draft* draft) {
  for (Draft::Large& large : draft->larges_) {
    if (loans_->Covers(large.data, large.size)) {
      large.array.Reset();
      continue;
    }
    const PyRef address = PyRef::Steal(PyLong_FromVoidPtr(const_cast<char*>(large.data)));
    const PyRef size = PyRef::Steal(PyLong_FromSize_t(large.size));
    if (!address || !size) return false;
    PyObject* const results = results_.get();
    const auto ask = [&](const PyRef& method) {
      return PyRef::Steal(
          PyObject_CallMethodObjArgs(results, method.get(), address.get(), size.get(), nullptr));
    };
    large.slot = ask(send_born_);
    if (!large.slot) return false;
    if (large.slot.get() != Py_None) {
      large.array.Reset();
      continue;
    }
    large.slot.Reset();
    PyRef place = ask(find_);
    if (place.get() == Py_None) place = Copy(large.array.get());
    if (!place || !Fill(draft, large, place.get())) return false;
    large.array.Reset();
    large.size = 0;  // it is done
  }
  return true;
}

PyRef Encoder::Copy(PyObject* array) const {
  return PyRef::Steal(PyObject_CallMethodObjArgs(results_.get(), copy_.get(), array, nullptr));
}

bool Encoder::Settle(Draft* draft) {
  for (Draft::Large& large : draft->larges_) {
    if (!large.slot) continue;
    const PyRef address = PyRef::Steal(PyLong_FromVoidPtr(const_cast<char*>(large.data)));
    const PyRef size = PyRef::Steal(PyLong_FromSize_t(large.size));
    if (!address || !size) return false;
    const PyRef place =
        PyRef::Steal(PyObject_CallMethodObjArgs(results_.get(), settle_.get(), large.slot.get(),
                                                address.get(), size.get(), Py_False, nullptr));
    if (!place || !Fill(draft, large, place.get())) return false;
    large.size = 0;
  }
  return true;
}

bool Encoder::Fill(Draft* draft, const Draft::Large& large, PyObject* slot_and_offset) {
  TensorHead head;
  std::memcpy(&head, draft->bytes.data() + large.at, sizeof head);
  unsigned int slot = 0;
  unsigned long long offset = 0;
  if (!PyArg_ParseTuple(slot_and_offset, "IK", &slot, &offset)) return false;
  head.place = kInResults;
  head.number = slot;
  head.offset = offset;
  std::memcpy(draft->bytes.data() + large.at, &head, sizeof head);
  return true;
}

bool Encoder::Finish(Draft* draft, bool* has_called) {
  for (Draft::Large& large : draft->larges_) {
    if (large.size == 0) continue;
    const Loans::Found found = loans_->Find(large.data, large.size);
    if (!found.is_unwritten) continue;
    TensorHead head;
    std::memcpy(&head, draft->bytes.data() + large.at, sizeof head);
    head.place = kInLoan;
    head.number = found.number;
    head.offset = found.offset;
    std::memcpy(draft->bytes.data() + large.at, &head, sizeof head);
    large.size = 0;
  }
  for (const Draft::Large& large : draft->larges_) {
    if (large.size == 0) continue;
    *has_called = true;
    const PassingView view({large.data, large.size});
    if (!view) return false;
    const PyRef place = Copy(view.get());
    if (!place || !Fill(draft, large, place.get())) return false;
  }
  return true;
}

}  // namespace pt::hot
