#include "bindings/device_output.h"

#include <string>
#include <utility>

#include "bindings/device_array.h"
#include "bindings/unlocked.h"
#include "tensor/cuda_region.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

std::string OutputName(const PyTensorSpec& spec) { return "output '" + spec.name + "'"; }

void CheckType(const PyTensorSpec& spec, DataType type) {
  if (type == spec.type) return;
  throw py::value_error(
      OutputName(spec) + ": expected elements of type " + std::string(DataTypeName(spec.type)) +
      ", got " + (type == DataType::kInvalid ? "another type" : std::string(DataTypeName(type))));
}

CudaTensor Take(const PyModel& model, const PyTensorSpec& spec, PyObject* object) {
  const auto devices = Unlocked([&] { return model.cuda->Get(); });
  if (!devices.ok()) throw py::value_error(OutputName(spec) + ": " + devices.status().message());
  if (const CudaTensor* own = AsCudaTensor(object)) {
    CheckType(spec, own->tensor.type);
    return *own;
  }
  DeviceArray found = FindOnDevice(OutputName(spec), object, devices->get());
  CheckType(spec, found.type);
  char* const data = reinterpret_cast<char*>(found.address);
  BlockRef block(new PyBlock(found.keep.release().ptr(), data, found.byte_size, model.releaser));
  CudaTensor taken;
  taken.devices = *devices;
  taken.device = found.device;
  taken.tensor = {spec.type, found.shape, Slice(std::move(block), data, found.byte_size)};
  return taken;
}

}  // namespace

PyRef WrapDeviceInput(const PyModel& model, int device, const TensorView& input) {
  const auto devices = Unlocked([&] { return model.cuda->Get(); });
  if (!devices.ok()) {
    PyErr_SetString(PyExc_RuntimeError, devices.status().message().c_str());
    return {};
  }
  return WrapCudaTensor({*devices, device, input});
}

bool TakeDeviceTensor(const PyModel& model, const PyTensorSpec& spec, PyObject* object,
                      CudaTensor* taken) {
  try {
    *taken = Take(model, spec, object);
    return true;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  }
  return false;
}

bool CopyToHost(const PyModel& model, const CudaTensor& tensor, Slice* bytes) {
  const Status status = Unlocked([&]() -> Status {
    PT_ASSIGN_OR_RETURN(RegionBytes staged, StageFromDevice(tensor.devices.get(), tensor.device,
                                                            tensor.tensor.data, &model.pool));
    PT_RETURN_IF_ERROR(staged.pending->Wait());
    *bytes = std::move(staged.bytes);
    return {};
  });
  if (!status.ok()) PyErr_SetString(PyExc_RuntimeError, status.message().c_str());
  return status.ok();
}

}  // namespace pt::bindings
