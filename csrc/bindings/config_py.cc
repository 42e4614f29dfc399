#include "bindings/config_py.h"

#include <pybind11/stl.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bindings/errors.h"
#include "bindings/numpy_api.h"
#include "bindings/unlocked.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

PyRef Keep(const py::handle& object) { return PyRef::Borrow(object.ptr()); }

PyRef Intern(const char* text) { return PyRef::Steal(PyUnicode_InternFromString(text)); }

QueuePolicy ReadPolicy(const py::dict& dict) {
  QueuePolicy policy;
  policy.timeout_action =
      dict["delay"].cast<bool>() ? TimeoutAction::kDelay : TimeoutAction::kReject;
  policy.default_timeout_us = dict["default_timeout_us"].cast<uint64_t>();
  policy.allow_timeout_override = dict["allow_timeout_override"].cast<bool>();
  policy.max_queue_size = dict["max_queue_size"].cast<uint32_t>();
  return policy;
}

DynamicBatching ReadBatcher(const py::dict& dict) {
  DynamicBatching batching;
  batching.preferred_batch_sizes = dict["preferred_batch_sizes"].cast<std::vector<int32_t>>();
  batching.max_queue_delay_us = dict["max_queue_delay_us"].cast<uint64_t>();
  batching.preserve_ordering = dict["preserve_ordering"].cast<bool>();
  batching.priority_levels = dict["priority_levels"].cast<uint32_t>();
  batching.default_priority_level = dict["default_priority_level"].cast<uint32_t>();
  if (!dict["default_queue_policy"].is_none()) {
    batching.default_queue_policy = ReadPolicy(dict["default_queue_policy"].cast<py::dict>());
  }
  for (const auto& [level, policy] : dict["priority_queue_policies"].cast<py::dict>()) {
    batching.priority_queue_policies[level.cast<uint32_t>()] = ReadPolicy(policy.cast<py::dict>());
  }
  return batching;
}

TensorSpec ReadSpec(const py::dict& dict) {
  TensorSpec spec;
  spec.name = dict["name"].cast<std::string>();
  spec.type = ParseDataType(dict["datatype"].cast<std::string>());
  for (const py::handle dim : dict["dims"]) {
    if (!spec.dims.Append(dim.cast<int64_t>())) {
      throw py::value_error("tensor '" + spec.name + "' has more than " +
                            std::to_string(Shape::kMaxRank) + " dimensions");
    }
  }
  spec.is_optional = dict["optional"].cast<bool>();
  spec.device = dict["device"].cast<int>();
  return spec;
}

PyTensorSpec ReadPySpec(const TensorSpec& spec, const py::dict& dict) {
  PyTensorSpec result;
  result.name = spec.name;
  result.type = spec.type;
  result.dims = spec.dims;
  result.py_name = Intern(spec.name.c_str());
  result.dtype = Keep(dict["dtype"]);
  result.type_num = reinterpret_cast<PyArray_Descr*>(result.dtype.get())->type_num;
  result.device = spec.device;
  result.follows_instance = dict["follows_instance"].cast<bool>();
  const bool is_float = spec.type == DataType::kBf16 && result.type_num == NPY_FLOAT;
  result.is_widened = is_float && spec.device < 0;  // a device has a type for it
  return result;
}

CallForm ReadForm(const std::string& form) {
  if (form == "arrays") return CallForm::kArrays;
  if (form == "stream") return CallForm::kStream;
  return CallForm::kRequests;
}

// One group for the host's callables, and one for each device that has some.
std::vector<InstanceGroup> ReadGroups(const py::dict& dict, const std::string& model) {
  std::map<int, int> counts;  // of callables, by device
  for (const int device : dict["devices"].cast<std::vector<int>>()) ++counts[device];
  std::vector<InstanceGroup> groups;
  for (const auto& [device, count] : counts) {
    InstanceGroup group;
    group.name = model + "_" + std::to_string(groups.size());
    group.count = count;
    if (device >= 0) {
      group.kind = InstanceKind::kGpu;
      group.gpus = {device};
    }
    groups.push_back(std::move(group));
  }
  return groups;
}

ModelConfig ReadConfig(const py::dict& dict) {
  ModelConfig config;
  config.name = dict["name"].cast<std::string>();
  config.version = dict["version"].cast<int64_t>();
  config.backend = "python";
  config.platform = "python";
  config.max_batch_size = dict["max_batch_size"].cast<int64_t>();
  config.is_decoupled = dict["decoupled"].cast<bool>();
  config.response_cache = dict["response_cache"].cast<bool>();
  config.parameters = dict["parameters"].cast<std::map<std::string, std::string>>();
  if (!dict["batcher"].is_none() && config.max_batch_size > 0) {
    config.scheduler = SchedulerKind::kDynamic;
    config.dynamic_batching = ReadBatcher(dict["batcher"].cast<py::dict>());
  }
  config.instance_groups = ReadGroups(dict, config.name);
  return config;
}

void ReadTensors(const py::dict& dict, const char* key, std::vector<TensorSpec>* specs,
                 std::vector<PyTensorSpec>* py_specs) {
  for (const py::handle item : dict[key]) {
    const auto tensor = item.cast<py::dict>();
    specs->push_back(ReadSpec(tensor));
    py_specs->push_back(ReadPySpec(specs->back(), tensor));
  }
}

// A model that wants device memory must be able to get it.
void CheckDevices(const PyModel& model) {
  for (const PyTensorSpec& input : model.inputs) {
    if (input.device < 0) continue;
    const auto devices = Unlocked([&] { return model.cuda->Get(); });
    if (!devices.ok()) {
      ThrowIfError(Status(devices.status().code(), "input '" + input.name + "' in device memory: " +
                                                       devices.status().message()));
    }
    if (input.device < (*devices)->count()) continue;
    throw py::value_error("input '" + input.name + "': expected a device of 0 to " +
                          std::to_string((*devices)->count() - 1) + ", got " +
                          std::to_string(input.device));
  }
}

PyRef NameTuple(const std::vector<PyTensorSpec>& specs) {
  py::tuple names(specs.size());
  for (size_t i = 0; i < specs.size(); ++i) names[i] = py::handle(specs[i].py_name.get());
  return PyRef::Steal(names.release().ptr());
}

}  // namespace

ModelConfig MakeModelConfig(const py::dict& config) {
  ModelConfig made = ReadConfig(config);
  std::vector<PyTensorSpec> unused;
  ReadTensors(config, "inputs", &made.inputs, &unused);
  ReadTensors(config, "outputs", &made.outputs, &unused);
  return made;
}

std::unique_ptr<PyModel> MakePyModel(const py::dict& config, const py::object& binding,
                                     RefPtr<PyReleaser> releaser,
                                     std::shared_ptr<CudaOnDemand> cuda) {
  auto model = std::make_unique<PyModel>();
  for (const py::handle item : config["callables"]) {
    const auto [form, target] = item.cast<std::pair<std::string, py::object>>();
    const int device = config["devices"].cast<py::list>()[model->callables.size()].cast<int>();
    model->callables.push_back({ReadForm(form), Keep(target), device});
  }
  model->config = ReadConfig(config);
  model->is_strict = config["strict"].cast<bool>();
  ReadTensors(config, "inputs", &model->config.inputs, &model->inputs);
  ReadTensors(config, "outputs", &model->config.outputs, &model->outputs);
  model->binding = Keep(binding);
  model->request_type = Keep(config["request_type"]);
  model->model_config = Keep(config["model_config"]);
  model->input_names = NameTuple(model->inputs);
  model->context_name = Intern("_context");
  model->types = NativeTypes::Fetch();
  model->releaser = std::move(releaser);
  model->cuda = std::move(cuda);
  CheckDevices(*model);
  if (model->types.request_context == nullptr || PyErr_Occurred() != nullptr) {
    throw py::error_already_set();
  }
  return model;
}

}  // namespace pt::bindings
