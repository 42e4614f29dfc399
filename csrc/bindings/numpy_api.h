// numpy's C API for this module: included instead of numpy's own headers. module.cc defines
// PT_IMPORT_NUMPY before including it and calls import_array once.
#pragma once

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL pt_bindings_numpy
#ifndef PT_IMPORT_NUMPY
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
