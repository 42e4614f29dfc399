#include "bindings/native_types.h"

#include <unistd.h>

#include <cstdint>
#include <utility>

namespace pt::bindings {
namespace {

void DeallocBlockOwner(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<BlockOwnerObject*>(self)->Set({});
  type->tp_free(self);
  Py_DECREF(type);
}

void DeallocRequestContext(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  auto* context = reinterpret_cast<RequestContextObject*>(self);
  if (context->responder != nullptr) context->responder->DropRef();
  Py_XDECREF(context->model_config);
  Py_XDECREF(context->id);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* GetCancelled(PyObject* self, void*) {
  const auto* context = reinterpret_cast<RequestContextObject*>(self);
  return PyBool_FromLong(context->responder->is_cancelled() ? 1 : 0);
}

PyObject* GetModelConfig(PyObject* self, void*) {
  PyObject* config = reinterpret_cast<RequestContextObject*>(self)->model_config;
  Py_INCREF(config);
  return config;
}

PyObject* GetId(PyObject* self, void*) {
  PyObject* id = reinterpret_cast<RequestContextObject*>(self)->id;
  Py_INCREF(id);
  return id;
}

// notify(fd): an event loop that waits on this eventfd wakes when the request is cancelled, without
// any thread taking the interpreter for it. notify(-1) ends it; then the descriptor may be closed.
PyObject* Notify(PyObject* self, PyObject* argument) {
  const long fd = PyLong_AsLong(argument);
  if (fd == -1 && PyErr_Occurred() != nullptr) return nullptr;
  Responder* responder = reinterpret_cast<RequestContextObject*>(self)->responder;
  std::function<void()> observer;
  if (fd >= 0) {
    observer = [fd] {
      const uint64_t one = 1;
      // A full counter means the loop is woken already.
      [[maybe_unused]] const ssize_t written = write(static_cast<int>(fd), &one, sizeof(one));
    };
  }
  Py_BEGIN_ALLOW_THREADS;
  responder->OnCancel(std::move(observer));
  Py_END_ALLOW_THREADS;
  Py_RETURN_NONE;
}

PyObject* MakeType(PyType_Spec* spec, PyObject* module, const char* name) {
  PyObject* type = PyType_FromSpec(spec);
  if (type == nullptr) return nullptr;
  // Made by the core only (3.9 has no flag for that).
  reinterpret_cast<PyTypeObject*>(type)->tp_new = nullptr;
  if (PyObject_SetAttrString(module, name, type) != 0) Py_CLEAR(type);
  return type;
}

int AddBlockOwner(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocBlockOwner)}, {0, nullptr}};
  PyType_Spec spec = {"pytriton._core.BlockOwner", sizeof(BlockOwnerObject), 0, Py_TPFLAGS_DEFAULT,
                      slots};
  PyObject* type = MakeType(&spec, module, "BlockOwner");
  Py_XDECREF(type);
  return type == nullptr ? -1 : 0;
}

int AddRequestContext(PyObject* module) {
  static PyGetSetDef properties[] = {
      {"cancelled", GetCancelled, nullptr, "True once the client left or cancelled.", nullptr},
      {"model_config", GetModelConfig, nullptr, "Configuration of the model.", nullptr},
      {"id", GetId, nullptr, "The client's request id, or an empty string.", nullptr},
      {nullptr, nullptr, nullptr, nullptr, nullptr}};
  static PyMethodDef methods[] = {
      {"notify", Notify, METH_O, "Writes to this eventfd on cancellation; -1 ends it."},
      {nullptr, nullptr, 0, nullptr}};
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocRequestContext)},
                         {Py_tp_getset, properties},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec = {"pytriton._core.RequestContext", sizeof(RequestContextObject), 0,
                      Py_TPFLAGS_DEFAULT, slots};
  PyObject* type = MakeType(&spec, module, "RequestContext");
  Py_XDECREF(type);
  return type == nullptr ? -1 : 0;
}

}  // namespace

void BlockOwnerObject::Set(BlockRef next) {
  Block* old = std::exchange(block, next.Release());
  if (old != nullptr) old->DropRef();
}

int AddNativeTypes(PyObject* module) {
  return AddBlockOwner(module) == 0 && AddRequestContext(module) == 0 ? 0 : -1;
}

NativeTypes NativeTypes::Fetch() {
  NativeTypes types;
  PyObject* module = PyImport_ImportModule("pytriton._core");
  if (module == nullptr) return types;
  PyObject* owner = PyObject_GetAttrString(module, "BlockOwner");
  PyObject* context = PyObject_GetAttrString(module, "RequestContext");
  types.block_owner = reinterpret_cast<PyTypeObject*>(owner);
  types.request_context = reinterpret_cast<PyTypeObject*>(context);
  Py_XDECREF(owner);
  Py_XDECREF(context);
  Py_DECREF(module);
  return types;
}

BlockOwnerObject* NativeTypes::NewBlockOwner() const {
  return reinterpret_cast<BlockOwnerObject*>(block_owner->tp_alloc(block_owner, 0));
}

PyObject* NativeTypes::NewRequestContext(Responder* responder, PyObject* model_config,
                                         const std::string& id) const {
  PyObject* id_text =
      PyUnicode_DecodeUTF8(id.data(), static_cast<Py_ssize_t>(id.size()), "replace");
  if (id_text == nullptr) return nullptr;
  PyObject* self = request_context->tp_alloc(request_context, 0);
  if (self == nullptr) {
    Py_DECREF(id_text);
    return nullptr;
  }
  auto* context = reinterpret_cast<RequestContextObject*>(self);
  responder->AddRef();
  context->responder = responder;
  Py_INCREF(model_config);
  context->model_config = model_config;
  context->id = id_text;
  return self;
}

}  // namespace pt::bindings
