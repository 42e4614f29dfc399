#include "bindings/hot/decoder.h"

#include <cstring>
#include <utility>

#include "bindings/hot/buffer.h"
#include "bindings/hot/loan_buffer.h"
#include "bindings/hot/records.h"

namespace pt::hot {
namespace {

constexpr uint16_t kAllOutputs = 0xFFFF;

PyRef TextOf(std::string_view bytes) {
  const auto size = static_cast<Py_ssize_t>(bytes.size());
  return PyRef::Steal(PyUnicode_DecodeUTF8(bytes.data(), size, "replace"));
}

PyRef Number(uint64_t value) { return PyRef::Steal(PyLong_FromUnsignedLongLong(value)); }

// Calls a function of the twin with a view of `bytes`, which ends with the call.
PyRef CallWithView(PyObject* function, std::string_view bytes, PyObject* argument, bool is_first) {
  const PassingView view(bytes);
  if (!view) return {};
  PyObject* const one = is_first ? argument : view.get();
  PyObject* const two = is_first ? view.get() : argument;
  PyRef result = PyRef::Steal(PyObject_CallFunctionObjArgs(function, one, two, nullptr));
  return result && view.Release() ? std::move(result) : PyRef();
}

}  // namespace

// Reads what it is asked for or fails for good.
struct Decoder::Reader {
  std::string_view rest;
  bool is_ok = true;

  std::string_view Bytes(size_t size) {
    if (!is_ok || size > rest.size()) {
      if (is_ok) PyErr_SetString(PyExc_ValueError, "expected a whole message from the server");
      is_ok = false;
      return {};
    }
    const std::string_view bytes = rest.substr(0, size);
    rest.remove_prefix(size);
    return bytes;
  }
  template <typename T>
  T Get() {
    T value{};
    const std::string_view bytes = Bytes(sizeof value);
    if (is_ok) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
};

Decoder::Decoder(Parts parts, PyObject* owner, Loans* loans)
    : parts_(std::move(parts)), owner_(owner), loans_(loans) {}

bool Decoder::Prepare() {
  inputs_ = PyRef::Steal(PyList_New(0));
  outputs_ = PyRef::Steal(PyTuple_New(0));
  no_text_ = PyRef::Steal(PyUnicode_FromString(""));
  no_parameters_ = PyRef::Steal(PyUnicode_FromString("{}"));
  return inputs_ && outputs_ && no_text_ && no_parameters_;
}

void Decoder::SetNames(PyRef inputs, PyRef outputs) {
  inputs_ = std::move(inputs);
  outputs_ = std::move(outputs);
}

Decoder::Batch Decoder::Decode(std::string_view message) {
  Reader reader{message};
  const auto sequence = reader.Get<uint32_t>();
  const auto count = reader.Get<uint32_t>();
  if (!reader.is_ok) return {};
  if ((count & kRowsFollow) != 0) {
    const PyRef first = DecodeRequest(&reader);
    if (!first) return {};
    return {sequence, CallWithView(parts_.read_rows.get(), reader.rest, first.get(), true)};
  }
  PyRef requests = PyRef::Steal(PyList_New(0));
  for (uint32_t i = 0; requests && i < count; ++i) {
    const PyRef request = DecodeRequest(&reader);
    if (!request || PyList_Append(requests.get(), request.get()) < 0) return {};
  }
  return {sequence, std::move(requests)};
}

PyRef Decoder::DecodeRequest(Reader* reader) {
  const auto head = reader->Get<RequestHead>();
  const std::string_view id = reader->Bytes(head.id_size);
  const std::string_view text = reader->Bytes(head.text_size);
  if (!reader->is_ok) return {};
  const PyRef key = Number(head.key);
  const PyRef id_text = id.empty() ? PyRef::Borrow(no_text_.get()) : TextOf(id);
  const PyRef correlation = text.empty() ? Number(head.correlation) : TextOf(text);
  const PyRef flags = Number(head.flags);
  const PyRef timeout = Number(head.timeout);
  if (!key || !id_text || !correlation || !flags || !timeout) return {};
  const PyRef wanted = Wanted(reader, head.requested);
  PyRef values = PyRef::Borrow(no_parameters_.get());
  PyRef trace = PyRef::Borrow(Py_None);
  if (!wanted || !DecodeParameters(reader, head.parameters, &values, &trace)) return {};
  const PyRef inputs = DecodeInputs(reader, head.inputs);
  if (!inputs) return {};
  const PyRef fields = PyRef::Steal(PyTuple_Pack(9, key.get(), id_text.get(), inputs.get(),
                                                 wanted.get(), values.get(), correlation.get(),
                                                 flags.get(), timeout.get(), trace.get()));
  if (!fields) return {};
  // As RawRequest(...), in less time.
  return PyRef::Steal(PyObject_CallFunctionObjArgs(
      parts_.new_tuple.get(), parts_.request_type.get(), fields.get(), nullptr));
}

PyRef Decoder::Wanted(Reader* reader, size_t count) {
  if (count == kAllOutputs) return PyRef::Borrow(outputs_.get());
  PyRef wanted = PyRef::Steal(PyTuple_New(static_cast<Py_ssize_t>(count)));
  for (size_t i = 0; wanted && i < count; ++i) {
    const auto index = reader->Get<uint16_t>();
    PyObject* const name = reader->is_ok ? PyTuple_GetItem(outputs_.get(), index) : nullptr;
    if (name == nullptr) return {};
    Py_INCREF(name);
    PyTuple_SetItem(wanted.get(), static_cast<Py_ssize_t>(i), name);
  }
  return wanted;
}

bool Decoder::DecodeParameters(Reader* reader, uint32_t count, PyRef* values, PyRef* trace) {
  if (count == 0) return true;
  const PyRef number = Number(count);
  if (!number) return false;
  const PyRef read = CallWithView(parts_.read_parameters.get(), reader->rest, number.get(), false);
  PyObject* text = nullptr;
  PyObject* told = nullptr;
  Py_ssize_t size = 0;
  if (!read || !PyArg_ParseTuple(read.get(), "OOn", &text, &told, &size)) return false;
  *values = PyRef::Borrow(text);
  *trace = PyRef::Borrow(told);
  reader->Bytes(static_cast<size_t>(size));
  return reader->is_ok;
}

PyRef Decoder::DecodeInputs(Reader* reader, size_t count) {
  PyRef inputs = PyRef::Steal(PyTuple_New(static_cast<Py_ssize_t>(count)));
  for (size_t i = 0; inputs && i < count; ++i) {
    PyRef tensor = DecodeTensor(reader);
    if (!tensor) return {};
    PyTuple_SetItem(inputs.get(), static_cast<Py_ssize_t>(i), tensor.Release());
  }
  return inputs;
}

PyRef Decoder::DecodeTensor(Reader* reader) {
  const auto head = reader->Get<TensorHead>();
  if (!reader->is_ok) return {};
  const PyRef name = PyRef::Borrow(PyList_GetItem(inputs_.get(), head.index));
  const PyRef shape = PyRef::Steal(PyTuple_New(head.rank));
  if (!name || !shape) return {};
  for (Py_ssize_t i = 0; i < head.rank; ++i) {
    const auto size = reader->Get<int64_t>();
    PyObject* const dim = reader->is_ok ? PyLong_FromLongLong(size) : nullptr;
    if (dim == nullptr) return {};
    PyTuple_SetItem(shape.get(), i, dim);
  }
  PyRef buffer;
  if (head.place == kInMessage) {
    const std::string_view bytes = reader->Bytes(head.size);
    if (!reader->is_ok) return {};
    const auto size = static_cast<Py_ssize_t>(bytes.size());
    buffer = PyRef::Steal(PyByteArray_FromStringAndSize(bytes.data(), size));
  } else {
    buffer = TakeLoan(head.number, head.offset, head.size);
  }
  const PyRef dtype = PyRef::Steal(PyLong_FromLong(head.dtype));
  if (!buffer || !dtype) return {};
  return PyRef::Steal(PyTuple_Pack(4, name.get(), dtype.get(), shape.get(), buffer.get()));
}

PyRef Decoder::TakeLoan(uint32_t number, uint64_t offset, uint64_t size) {
  return PyRef::Steal(
      MakeLoanBuffer(parts_.loan_type.get(), owner_, loans_, {number, offset, size}));
}

}  // namespace pt::hot
