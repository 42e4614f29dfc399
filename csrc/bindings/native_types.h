// Two small Python types made by hand, because one of each is made per array or per request.
//
// BlockOwner: the base object of an input array; keeps the array's bytes alive.
// RequestContext: what a Request asks the core: `cancelled`, `model_config`, `id`, `notify(fd)`.
// Thread rule: as any Python object.
#pragma once

#include <Python.h>

#include <string>

#include "base/block.h"
#include "infer/response.h"

namespace pt::bindings {

struct BlockOwnerObject {
  PyObject_HEAD Block* block;  // one counted reference, or null

  // Replaces the block (null: gives it up).
  void Set(BlockRef next);
};

struct RequestContextObject {
  PyObject_HEAD Responder* responder;  // one counted reference
  PyObject* model_config;              // one reference; the config of the model that was asked
  PyObject* id;                        // str
};

// Adds both types to the module. -1 with a Python error set.
int AddNativeTypes(PyObject* module);

// The types, fetched once by each backend; borrowed from the module, which outlives every model.
struct NativeTypes {
  PyTypeObject* block_owner = nullptr;
  PyTypeObject* request_context = nullptr;

  // Null members and a Python error when the module is not there.
  static NativeTypes Fetch();
  // New references, or null with a Python error set.
  BlockOwnerObject* NewBlockOwner() const;
  PyObject* NewRequestContext(Responder* responder, PyObject* model_config,
                              const std::string& id) const;
};

}  // namespace pt::bindings
