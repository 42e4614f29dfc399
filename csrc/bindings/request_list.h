// MakeRequestList: the requests of a batch as the general contract hands them to callables: a list
// of pytriton.proxy.types.Request.
//
// Thread rule: needs the interpreter lock.
#pragma once

#include <vector>

#include "bindings/py_model.h"

namespace pt::bindings {

// A list of Request objects for one of the model's callables. Their arrays keep their bytes alive
// by themselves. Null with a Python error set.
PyRef MakeRequestList(const PyModel& model, const PyCallable& callable,
                      const std::vector<const InferRequest*>& requests);

}  // namespace pt::bindings
