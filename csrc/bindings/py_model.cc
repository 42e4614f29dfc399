#include "bindings/py_model.h"

#include <string_view>

namespace pt::bindings {
namespace {

PyRef IdList(const std::vector<const InferRequest*>& requests) {
  PyRef ids = PyRef::Steal(PyList_New(static_cast<Py_ssize_t>(requests.size())));
  for (size_t i = 0; ids && i < requests.size(); ++i) {
    const std::string& id = requests[i]->id;
    PyObject* text = PyUnicode_DecodeUTF8(id.data(), static_cast<Py_ssize_t>(id.size()), "replace");
    if (text == nullptr) return {};
    PyList_SET_ITEM(ids.get(), static_cast<Py_ssize_t>(i), text);
  }
  return ids;
}

// Takes the error that is set, as an exception object with its traceback.
PyRef TakeError() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (value != nullptr && traceback != nullptr) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return PyRef::Steal(value);
}

struct CodeRow {
  std::string_view name;
  Code code;
};

constexpr CodeRow kCodes[] = {
    {"UNAVAILABLE", Code::kUnavailable},
    {"INVALID_ARGUMENT", Code::kInvalidArgument},
    {"NOT_FOUND", Code::kNotFound},
    {"UNIMPLEMENTED", Code::kUnsupported},
    {"DEADLINE_EXCEEDED", Code::kDeadlineExceeded},
    {"CANCELLED", Code::kCancelled},
};

// A text, or (gRPC's name of a status, text). OK with a Python error set for anything else.
Status ReadDescription(PyObject* described) {
  Code code = Code::kInternal;
  if (PyTuple_Check(described) != 0 && PyTuple_GET_SIZE(described) == 2) {
    const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(described, 0));
    if (name == nullptr) return {};
    for (const CodeRow& row : kCodes) {
      if (row.name == name) code = row.code;
    }
    described = PyTuple_GET_ITEM(described, 1);
  }
  const char* utf8 = PyUnicode_AsUTF8(described);
  if (utf8 == nullptr) return {};
  return {code, utf8};
}

}  // namespace

Status DescribeError(const PyModel& model, const std::vector<const InferRequest*>& requests,
                     bool is_stream) {
  PyRef error = TakeError();
  PyRef ids = IdList(requests);
  PyRef text;
  if (error && ids) {
    text =
        PyRef::Steal(PyObject_CallMethod(model.binding.get(), "describe_error", "OOO", error.get(),
                                         ids.get(), is_stream ? Py_True : Py_False));
  }
  if (text) {
    Status status = ReadDescription(text.get());
    if (!status.ok()) return status;
  }
  PyErr_Clear();
  return Internal("the callable of model '" + model.config.name +
                  "' raised an error that can't be described");
}

void FailBatch(const PyModel& model, Batch* batch) {
  std::vector<const InferRequest*> requests;
  for (const RequestPtr& request : batch->requests) requests.push_back(request.get());
  FailBatch(DescribeError(model, requests, false), batch);
}

void FailBatch(const Status& status, Batch* batch) {
  for (InferResponse& response : batch->responses) {
    response.outputs.clear();
    response.status = status;
  }
}

}  // namespace pt::bindings
