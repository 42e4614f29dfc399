// The module `_hot` of workers: one type, Port. It is loaded by backends/_native.py, by
// interpreters of any version from 3.9 on, and links neither the core nor numpy.
#include <Python.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "bindings/hot/buffer.h"
#include "bindings/hot/loan_buffer.h"
#include "bindings/hot/port.h"

namespace pt::hot {
namespace {

struct PortObject {
  PyObject base;
  Port* port;
};

Port* PortOf(PyObject* self) { return reinterpret_cast<PortObject*>(self)->port; }

PyObject* None() {
  Py_INCREF(Py_None);
  return Py_None;
}

// As the function, and where C++ finds no memory Python is told so.
template <auto function, typename... Arguments>
PyObject* Guarded(Arguments... arguments) {
  try {
    return function(arguments...);
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  }
}

PyObject* NoneUnless(bool has_failed) { return has_failed ? nullptr : None(); }

// --- Making one.

char* MapMemory(int fd, size_t size) {
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

// Null: a Python error is set.
std::unique_ptr<Loans> OpenLoans(int fd, size_t size) {
  const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  char* const memory = pagemap < 0 ? nullptr : MapMemory(fd, size);
  if (memory == nullptr) {
    PyErr_SetFromErrno(PyExc_OSError);
    if (pagemap >= 0) close(pagemap);
    return nullptr;
  }
  return std::make_unique<Loans>(memory, size, pagemap);
}

struct Arguments {
  PyObject* memory = nullptr;  // of the ring
  PyObject* results = nullptr;
  int bell = -1;
  int loop_bell = -1;
  int pool = -1;
  Py_ssize_t pool_size = 0;
  Decoder::Parts parts;
};

bool ReadArguments(PyObject* args, Arguments* out) {
  PyObject* request_type = nullptr;
  PyObject* new_tuple = nullptr;
  PyObject* read_parameters = nullptr;
  PyObject* read_rows = nullptr;
  if (!PyArg_ParseTuple(args, "OiiOin(OOOO)", &out->memory, &out->bell, &out->loop_bell,
                        &out->results, &out->pool, &out->pool_size, &request_type, &new_tuple,
                        &read_parameters, &read_rows)) {
    return false;
  }
  out->parts = {PyRef::Borrow(request_type), PyRef::Borrow(new_tuple),
                PyRef::Borrow(read_parameters), PyRef::Borrow(read_rows),
                PyRef::Steal(MakeLoanBufferType())};
  return static_cast<bool>(out->parts.loan_type);
}

PyObject* New(PyTypeObject* type, PyObject* args, PyObject* /*kwargs*/) {
  Arguments given;
  if (!ReadArguments(args, &given)) return nullptr;
  PyRef self = PyRef::Steal(PyType_GenericAlloc(type, 0));
  if (!self) return nullptr;
  const BufferView memory(given.memory, kWritable);
  if (!memory.is_open()) return nullptr;
  if (memory.size() < Ring::kTotalBytes || given.pool_size <= 0) {
    PyErr_SetString(PyExc_ValueError, "expected a whole ring and a pool that isn't empty");
    return nullptr;
  }
  Port::Parts parts;
  parts.memory = PyRef::Borrow(given.memory);
  parts.results = PyRef::Borrow(given.results);
  parts.ring = std::make_unique<Ring>(memory.data(), given.bell, given.loop_bell);
  parts.loans = OpenLoans(given.pool, static_cast<size_t>(given.pool_size));
  if (!parts.loans) return nullptr;
  Loans* const loans = parts.loans.get();
  parts.decoder = std::make_unique<Decoder>(std::move(given.parts), self.get(), loans);
  parts.encoder = std::make_unique<Encoder>(loans, PyRef::Borrow(given.results));
  parts.requests = std::make_unique<Requests>();
  if (!parts.decoder->Prepare() || !parts.encoder->Prepare() || !parts.requests->Prepare()) {
    return nullptr;
  }
  reinterpret_cast<PortObject*>(self.get())->port = new (std::nothrow) Port(std::move(parts));
  return PortOf(self.get()) != nullptr ? self.Release() : PyErr_NoMemory();
}

void DeallocPort(PyObject* self) {
  delete PortOf(self);
  FreeInstance(self);
}

// --- Messages.

PyObject* Receive(PyObject* self, PyObject* seconds) {
  const double limit = PyFloat_AsDouble(seconds);
  if (limit == -1 && PyErr_Occurred() != nullptr) return nullptr;
  return PortOf(self)->Receive(limit).Release();
}

PyObject* Send(PyObject* self, PyObject* args) {
  unsigned int code = 0;
  PyObject* payload = nullptr;
  int wakes = 1;
  if (!PyArg_ParseTuple(args, "IO|p", &code, &payload, &wakes)) return nullptr;
  const BufferView view(payload);
  if (!view.is_open() || !PortOf(self)->Send(code, view.bytes())) return nullptr;
  return NoneUnless(wakes != 0 && !PortOf(self)->ring().Notify(Ring::Urgency::kNow));
}

PyObject* NotifyServer(PyObject* self, PyObject* /*args*/) {
  return NoneUnless(!PortOf(self)->ring().Notify(Ring::Urgency::kNow));
}

PyObject* Leave(PyObject* self, PyObject* /*args*/) {
  PortOf(self)->ring().Leave();
  return None();
}

PyObject* IsCancelled(PyObject* self, PyObject* slot) {
  const unsigned long number = PyLong_AsUnsignedLong(slot);
  if (PyErr_Occurred() != nullptr) return nullptr;
  return PyBool_FromLong(number < Ring::kCancelFlags &&
                         PortOf(self)->ring().IsCancelled(static_cast<uint32_t>(number)));
}

PyObject* IsLogged(PyObject* self, PyObject* level) {
  const unsigned long number = PyLong_AsUnsignedLong(level);
  if (PyErr_Occurred() != nullptr) return nullptr;
  return PyBool_FromLong(number < 32 &&
                         PortOf(self)->ring().IsLogged(static_cast<uint32_t>(number)));
}

// --- Batches.

PyObject* SetNames(PyObject* self, PyObject* args) {
  PyObject* inputs = nullptr;
  PyObject* outputs = nullptr;
  PyObject* places = nullptr;
  if (!PyArg_ParseTuple(args, "O!O!O!", &PyList_Type, &inputs, &PyTuple_Type, &outputs,
                        &PyDict_Type, &places)) {
    return nullptr;
  }
  PortOf(self)->decoder().SetNames(PyRef::Borrow(inputs), PyRef::Borrow(outputs));
  PortOf(self)->encoder().SetNames(PyRef::Borrow(places));
  return None();
}

PyObject* MakeRequests(PyObject* self, PyObject* args) {
  PyObject* batch = nullptr;
  Requests::Classes classes;
  if (!PyArg_ParseTuple(args, "O!O(OOOO!)", &PyList_Type, &batch, &classes.host, &classes.request,
                        &classes.tensor, &classes.array, &PyDict_Type, &classes.dtypes)) {
    return nullptr;
  }
  return PortOf(self)->requests().Make(batch, classes).Release();
}

PyObject* Answer(PyObject* self, PyObject* args) {
  PyObject* requests = nullptr;
  PyObject* box = nullptr;
  PyObject* type = nullptr;
  if (!PyArg_ParseTuple(args, "OOO", &requests, &box, &type)) return nullptr;
  const Port::Answered answered = PortOf(self)->Answer(requests, box, type);
  if (answered == Port::Answered::kFailed) return nullptr;
  return PyBool_FromLong(answered == Port::Answered::kYes);
}

PyObject* Keep(PyObject* self, PyObject* args) {
  PyObject* payload = nullptr;
  PyObject* lent = nullptr;
  if (!PyArg_ParseTuple(args, "OO", &payload, &lent)) return nullptr;
  return PyBool_FromLong(PortOf(self)->Keep(payload, lent));
}

PyObject* EndBatch(PyObject* self, PyObject* failure) {
  return NoneUnless(!PortOf(self)->EndBatch(failure));
}

PyObject* ReturnInputs(PyObject* self, PyObject* args) {
  int wakes = 0;
  if (!PyArg_ParseTuple(args, "|p", &wakes)) return nullptr;
  return NoneUnless(!PortOf(self)->ReturnInputs(wakes != 0 ? Port::Wake::kYes : Port::Wake::kNo));
}

// --- Loans.

PyObject* Take(PyObject* self, PyObject* args) {
  unsigned int number = 0;
  unsigned long long offset = 0;
  unsigned long long size = 0;
  if (!PyArg_ParseTuple(args, "IKK", &number, &offset, &size)) return nullptr;
  return PortOf(self)->decoder().TakeLoan(number, offset, size).Release();
}

PyObject* Find(PyObject* self, PyObject* args) {
  unsigned long long address = 0;
  unsigned long long size = 0;
  if (!PyArg_ParseTuple(args, "KK", &address, &size)) return nullptr;
  Loans& loans = PortOf(self)->loans();
  const auto base = reinterpret_cast<uintptr_t>(loans.memory());
  if (address < base || !loans.Contains(address - base, size)) return None();
  const char* const data = loans.memory() + (address - base);
  const Loans::Found found = loans.Find(data, size);
  loans.ForgetFindings();  // its loan isn't given back now
  if (!found.is_unwritten) return None();
  return Py_BuildValue("(IK)", found.number, static_cast<unsigned long long>(found.offset));
}

PyObject* TakeEnded(PyObject* self, PyObject* /*args*/) {
  std::string returned;
  PyRef numbers = PyRef::Steal(PyList_New(0));
  if (!numbers || !PortOf(self)->loans().TakeEnded(&returned)) return numbers.Release();
  for (size_t at = sizeof(uint32_t); at < returned.size(); at += sizeof(uint32_t)) {
    uint32_t number = 0;
    std::memcpy(&number, returned.data() + at, sizeof number);
    const PyRef item = PyRef::Steal(PyLong_FromUnsignedLong(number));
    if (!item || PyList_Append(numbers.get(), item.get()) < 0) return nullptr;
  }
  return numbers.Release();
}

// --- What is known of it.

PyObject* GetMemory(PyObject* self, void* /*closure*/) {
  PyObject* const memory = PortOf(self)->memory();
  Py_INCREF(memory);
  return memory;
}

PyObject* GetIsLeft(PyObject* self, void* /*closure*/) {
  return PyBool_FromLong(PortOf(self)->ring().is_left());
}

PyObject* GetIsExecuting(PyObject* self, void* /*closure*/) {
  return PyBool_FromLong(PortOf(self)->is_executing());
}

PyObject* GetCanScan(PyObject* self, void* /*closure*/) {
  return PyBool_FromLong(PortOf(self)->loans().can_scan());
}

int SetCanScan(PyObject* self, PyObject* value, void* /*closure*/) {
  const int can_scan = value == nullptr ? 0 : PyObject_IsTrue(value);
  if (can_scan < 0) return -1;
  PortOf(self)->loans().set_can_scan(can_scan == 1);
  return 0;
}

// The tables that Python's C API takes aren't constant, though nobody changes them.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
PyMethodDef methods[] = {
    {"receive", &Guarded<&Receive>, METH_O, "receive(seconds): see Link.receive"},
    {"send", &Guarded<&Send>, METH_VARARGS, "send(code, payload, wake=True): see Ring.send"},
    {"notify", &Guarded<&NotifyServer>, METH_NOARGS, "notify(): see Ring.notify"},
    {"leave", &Guarded<&Leave>, METH_NOARGS, "leave(): see Ring.leave"},
    {"is_cancelled", &Guarded<&IsCancelled>, METH_O, "is_cancelled(slot): see Ring.is_cancelled"},
    {"is_logged", &Guarded<&IsLogged>, METH_O, "is_logged(level): see Ring.is_logged"},
    {"set_names", &Guarded<&SetNames>, METH_VARARGS,
     "set_names(inputs, outputs, places of outputs)"},
    {"make_requests", &Guarded<&MakeRequests>, METH_VARARGS,
     "make_requests(batch, host, classes): see Link"},
    {"answer", &Guarded<&Answer>, METH_VARARGS,
     "answer(requests, box, response type): see Link.answer"},
    {"keep", &Guarded<&Keep>, METH_VARARGS,
     "keep(payload, lent): whether it goes with the batch's end"},
    {"end_batch", &Guarded<&EndBatch>, METH_O, "end_batch(failure): see Link.end_batch"},
    {"return_inputs", &Guarded<&ReturnInputs>, METH_VARARGS, "return_inputs(wake=False): see Link"},
    {"take", &Guarded<&Take>, METH_VARARGS, "take(number, offset, size): see Loans.take"},
    {"find", &Guarded<&Find>, METH_VARARGS, "find(address, size): see Loans.find"},
    {"take_ended", &Guarded<&TakeEnded>, METH_NOARGS, "take_ended(): see Loans.take_ended"},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"memory", &GetMemory, nullptr, "what the ring lies in", nullptr},
    {"is_left", &GetIsLeft, nullptr, "whether this process was forked from the worker", nullptr},
    {"is_executing", &GetIsExecuting, nullptr, "whether a batch is being run", nullptr},
    {"can_scan", &GetCanScan, &SetCanScan, "whether the kernel knows PAGEMAP_SCAN", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "_hot",
                      "The hot path of a worker.",
                      -1,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

PyObject* MakePortType() {
  PyType_Slot slots[] = {
      {Py_tp_new, reinterpret_cast<void*>(static_cast<newfunc>(&Guarded<&New>))},
      {Py_tp_dealloc, reinterpret_cast<void*>(&DeallocPort)},
      {Py_tp_methods, methods},
      {Py_tp_getset, attributes},
      {0, nullptr},
  };
  PyType_Spec spec{"pytriton_worker._hot.Port", sizeof(PortObject), 0, Py_TPFLAGS_DEFAULT, slots};
  return PyType_FromSpec(&spec);
}

}  // namespace
}  // namespace pt::hot

PyMODINIT_FUNC PyInit__hot() {  // NOLINT(bugprone-reserved-identifier): Python's name for it
  PyObject* const module = PyModule_Create(&pt::hot::module);
  PyObject* const type = module == nullptr ? nullptr : pt::hot::MakePortType();
  if (type != nullptr && PyModule_AddObject(module, "Port", type) == 0) return module;
  Py_XDECREF(type);
  Py_XDECREF(module);
  return nullptr;
}
