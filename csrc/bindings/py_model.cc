#include "bindings/py_model.h"

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
  const char* utf8 = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (utf8 != nullptr) return Internal(utf8);
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
