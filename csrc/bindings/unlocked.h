// Unlocked: runs something that may block or take a lock of ours without the interpreter lock.
//
// Thread rule: needs the interpreter lock, and has it again on return.
#pragma once

#include <pybind11/pybind11.h>

namespace pt::bindings {

// What `work` gives; it must not touch Python.
template <typename Work>
auto Unlocked(const Work& work) {
  const pybind11::gil_scoped_release release;
  return work();
}

}  // namespace pt::bindings
