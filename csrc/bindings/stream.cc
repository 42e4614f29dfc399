#include "bindings/stream.h"

#include <pybind11/pybind11.h>

#include <algorithm>
#include <utility>

#include "bindings/outputs.h"

namespace py = pybind11;

namespace pt::bindings {

void StreamCounter::Add() {
  MutexLock lock(&mu_);
  ++count_;
}

void StreamCounter::Remove() {
  MutexLock lock(&mu_);
  if (--count_ == 0) cv_.NotifyAll();
}

bool StreamCounter::WaitForNone(TimePoint deadline) {
  MutexLock lock(&mu_);
  while (count_ > 0) {
    if (!cv_.WaitUntil(&mu_, deadline) && count_ > 0) return false;
  }
  return true;
}

Stream::Stream(const PyModel* model, RequestList requests, std::shared_ptr<StreamCounter> counter)
    : model_(*model),
      model_owner_(PyRef::Borrow(model->owner)),
      requests_(std::move(requests)),
      counter_(std::move(counter)) {
  counter_->Add();
}

Stream::~Stream() {
  // Destroyed unanswered, a request answers itself with an error.
  py::gil_scoped_release release;
  requests_.clear();
  counter_->Remove();
}

bool Stream::Respond(PyObject* results) {
  std::vector<std::vector<TakenArray>> taken;
  if (requests_.empty()) return true;  // answered already
  if (!TakeList(model_, PyRef::Borrow(results), requests_.size(), &taken)) return false;
  std::vector<InferResponse> responses(requests_.size());
  for (size_t i = 0; i < responses.size(); ++i) {
    if (!MakeTensors(model_, *requests_[i], &taken[i], &responses[i].outputs)) return false;
    KeepWanted(*requests_[i], &responses[i].outputs);
  }
  py::gil_scoped_release release;
  const Finality finality = model_.config.is_decoupled ? Finality::kMore : Finality::kFinal;
  for (size_t i = 0; i < responses.size(); ++i) {
    requests_[i]->Respond(std::move(responses[i]), finality);
  }
  if (finality == Finality::kFinal) requests_.clear();
  return true;
}

void Stream::Finish() {
  py::gil_scoped_release release;
  for (const RequestPtr& request : requests_) request->Respond({}, Finality::kFinal);
  requests_.clear();
}

void Stream::Fail(PyObject* error) {
  std::vector<const InferRequest*> requests;
  for (const RequestPtr& request : requests_) requests.push_back(request.get());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  const Status status = DescribeError(model_, requests, model_.config.is_decoupled);
  py::gil_scoped_release release;
  for (const RequestPtr& request : requests_) request->Fail(status, FailureReason::kBackend);
  requests_.clear();
}

void Stream::Cancel() {
  py::gil_scoped_release release;
  for (const RequestPtr& request : requests_) {
    request->Fail(Cancelled("request was cancelled"), FailureReason::kCancelled);
  }
  requests_.clear();
}

bool Stream::is_cancelled() const {
  return std::all_of(requests_.begin(), requests_.end(),
                     [](const RequestPtr& request) { return request->is_cancelled(); });
}

void AddStreamType(PyObject* module) {
  py::class_<Stream>(py::reinterpret_borrow<py::module_>(module), "Stream",
                     "Answers of one batch of a decoupled model.")
      .def(
          "respond",
          [](Stream& stream, const py::object& results) {
            if (!stream.Respond(results.ptr())) throw py::error_already_set();
          },
          py::arg("results"), "Sends one response to each request: a list with one dict each.")
      .def("finish", &Stream::Finish, "Ends every request.")
      .def(
          "fail", [](Stream& stream, const py::object& error) { stream.Fail(error.ptr()); },
          py::arg("error"), "Fails every request with this exception.")
      .def("cancel", &Stream::Cancel, "Fails every request as cancelled.")
      .def_property_readonly("cancelled", &Stream::is_cancelled,
                             "True when no client waits for more.");
}

PyRef WrapStream(std::unique_ptr<Stream> stream) {
  try {
    return PyRef::Steal(py::cast(std::move(stream)).release().ptr());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_SystemError, error.what());
    return {};
  }
}

}  // namespace pt::bindings
