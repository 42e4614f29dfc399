#include "bindings/errors.h"

#include <pybind11/pybind11.h>

namespace py = pybind11;

namespace pt::bindings {
namespace {

const char* ExceptionName(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kTooLarge:
      return "PyTritonValidationError";
    case Code::kAlreadyExists:
    case Code::kUnsupported:
      return "PyTritonInvalidOperationError";
    case Code::kNotFound:
      return "PyTritonBadParameterError";
    default:
      return "PyTritonRuntimeError";
  }
}

}  // namespace

void ThrowIfError(const Status& status) {
  if (status.ok()) return;
  const py::object type =
      py::module_::import("pytriton.exceptions").attr(ExceptionName(status.code()));
  PyErr_SetString(type.ptr(), status.message().c_str());
  throw py::error_already_set();
}

}  // namespace pt::bindings
