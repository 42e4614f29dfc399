// The fast path: all requests' inputs joined, one call with arrays as keyword arguments, rows dealt
// back. Gathering needs no interpreter lock; one attachment per batch does the rest.
#include "bindings/call.h"
#include "bindings/device_output.h"
#include "bindings/gather.h"
#include "bindings/numpy_api.h"
#include "bindings/outputs.h"

namespace pt::bindings {
namespace {

// What an input keeps from call to call: the array's base object and its buffer, used again when
// the user has kept neither the array nor a view of it.
struct InputSlot {
  BlockOwnerObject* owner = nullptr;  // one reference
  BlockRef buffer;
};

// Larger buffers go back to the pool after each call.
constexpr size_t kKeepBelow = size_t{1} << 20;

class ArrayCall final : public Call {
 public:
  ArrayCall(const PyModel* model, const PyCallable& callable, PyThread* thread)
      : model_(*model), callable_(callable), thread_(thread), slots_(model->inputs.size()) {}

  void Execute(Batch* batch, ExecutionTimes* times) override {
    const Status gathered = Gather(*batch);
    if (!gathered.ok()) {
      inputs_.clear();
      FailBatch(gathered, batch);
      return;
    }
    GilHold hold(thread_);
    model_.releaser->DrainLocked();
    if (!RunLocked(batch, times)) FailBatch(model_, batch);
    RecycleSlots();
  }

  void Release() override {
    for (InputSlot& slot : slots_) {
      Py_CLEAR(slot.owner);
      slot.buffer.Reset();
    }
  }

 private:
  Status Gather(const Batch& batch);
  Result<GatheredInput> GatherOne(const Batch& batch, size_t position, int index);
  bool RunLocked(Batch* batch, ExecutionTimes* times);
  PyRef MakeArray(GatheredInput* input);
  PyRef CallTarget(const std::vector<PyRef>& arrays);
  PyRef NamesOfInputs();
  void RecycleSlots();

  const PyModel& model_;
  const PyCallable& callable_;
  PyThread* const thread_;
  std::vector<InputSlot> slots_;       // one an input of the model
  std::vector<GatheredInput> inputs_;  // of the batch that runs
};

Status ArrayCall::Gather(const Batch& batch) {
  if (!IsUniform(batch)) {
    return InvalidArgument("Cannot batch requests with different set of inputs keys");
  }
  const InputTensors& first = batch.requests.front()->inputs;
  for (size_t position = 0; position < first.size(); ++position) {
    const int index = first[position].index;
    PT_ASSIGN_OR_RETURN(GatheredInput input, GatherOne(batch, position, index));
    inputs_.push_back(std::move(input));
  }
  return {};
}

Result<GatheredInput> ArrayCall::GatherOne(const Batch& batch, size_t position, int index) {
  const PyTensorSpec& spec = model_.inputs[index];
  const int device = callable_.DeviceFor(spec);
  if (device < 0) {
    return GatherInput(batch, position, spec, std::move(slots_[index].buffer), &model_.pool);
  }
  PT_ASSIGN_OR_RETURN(const std::shared_ptr<CudaDevices> devices, model_.cuda->Get());
  GatheredInput input;
  input.index = index;
  input.shape = batch.requests.front()->inputs[position].tensor.shape;
  if (batch.requests.size() > 1) input.shape.set(0, batch.size);
  PT_ASSIGN_OR_RETURN(input.bytes, GatherOnDevice(batch, position, device, devices.get()));
  return input;
}

PyRef ArrayCall::MakeArray(GatheredInput* input) {
  const PyTensorSpec& spec = model_.inputs[input->index];
  const int device = callable_.DeviceFor(spec);
  if (device >= 0) {
    return WrapDeviceInput(model_, device, {spec.type, input->shape, std::move(input->bytes)});
  }
  if (spec.type == DataType::kBytes) return DecodeBytesArray(input->shape, input->parts);
  InputSlot& slot = slots_[input->index];
  if (slot.owner == nullptr) slot.owner = model_.types.NewBlockOwner();
  if (slot.owner == nullptr) return {};
  // The bytes are this request's alone, or a buffer of ours: the user may write to them. Not so
  // those of a region, which the client may send again.
  char* data = const_cast<char*>(input->bytes.data);
  const bool is_client_memory = input->bytes.owner->is_client_memory();
  slot.owner->Set(std::move(input->bytes.owner));
  PyRef array = ViewArray(spec, input->shape, data, slot.owner);
  if (array && is_client_memory) MakeReadOnly(array.get());
  return array;
}

PyRef ArrayCall::NamesOfInputs() {
  if (inputs_.size() == model_.inputs.size()) return PyRef::Borrow(model_.input_names.get());
  PyRef names = PyRef::Steal(PyTuple_New(static_cast<Py_ssize_t>(inputs_.size())));
  for (size_t i = 0; names && i < inputs_.size(); ++i) {
    PyObject* name = model_.inputs[inputs_[i].index].py_name.get();
    Py_INCREF(name);
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(i), name);
  }
  return names;
}

PyRef ArrayCall::CallTarget(const std::vector<PyRef>& arrays) {
  PyRef names = NamesOfInputs();
  if (!names) return {};
  std::vector<PyObject*> arguments(1);  // one free place in front, for bound methods
  for (const PyRef& array : arrays) arguments.push_back(array.get());
  return PyRef::Steal(PyObject_Vectorcall(callable_.target.get(), arguments.data() + 1,
                                          PY_VECTORCALL_ARGUMENTS_OFFSET, names.get()));
}

bool ArrayCall::RunLocked(Batch* batch, ExecutionTimes* times) {
  std::vector<PyRef> arrays;
  for (GatheredInput& input : inputs_) {
    PyRef array = MakeArray(&input);
    if (!array) return false;
    arrays.push_back(std::move(array));
  }
  times->input_end = std::chrono::steady_clock::now();
  PyRef result = CallTarget(arrays);
  times->infer_end = std::chrono::steady_clock::now();
  if (!result) return false;
  // Before the outputs are looked at: then only an output still refers to an input's bytes.
  arrays.clear();
  std::vector<TakenArray> taken;
  const int64_t rows = model_.has_batch() ? batch->size : -1;
  if (!TakeRows(model_, std::move(result), rows, &taken)) return false;
  if (model_.has_batch()) return DealRows(model_, &taken, batch);
  InferResponse& response = batch->responses.front();
  if (!MakeTensors(model_, *batch->requests.front(), &taken, &response.outputs)) return false;
  KeepWanted(*batch->requests.front(), &response.outputs);
  return true;
}

// The user may have kept an array: its base object then has more holders than the slot, and the
// slot gives both the object and the buffer away.
void ArrayCall::RecycleSlots() {
  for (GatheredInput& input : inputs_) {
    InputSlot& slot = slots_[input.index];
    if (slot.owner == nullptr) continue;
    if (Py_REFCNT(slot.owner) != 1) {
      Py_CLEAR(slot.owner);
      continue;
    }
    Block* block = slot.owner->block;
    // A block that others hold too is a request's own body, not a buffer of ours.
    if (block != nullptr && block->is_unique() && block->capacity() <= kKeepBelow) {
      slot.buffer = BlockRef(block);
    }
    slot.owner->Set({});
  }
  inputs_.clear();
}

}  // namespace

std::unique_ptr<Call> NewArrayCall(const PyModel* model, const PyCallable& callable,
                                   PyThread* thread) {
  return std::make_unique<ArrayCall>(model, callable, thread);
}

}  // namespace pt::bindings
