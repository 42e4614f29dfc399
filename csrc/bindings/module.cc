// pytriton._core: the core as Python sees it.
#include <pybind11/pybind11.h>

#define PT_IMPORT_NUMPY
#include "base/copy_count.h"
#include "base/options.h"
#include "bindings/cuda_memory_py.h"
#include "bindings/cuda_tensor.h"
#include "bindings/errors.h"
#include "bindings/native_types.h"
#include "bindings/numpy_api.h"
#include "bindings/process.h"
#include "bindings/server_py.h"
#include "bindings/stream.h"
#include "server/config_json.h"

namespace py = pybind11;

namespace {

const char* TypeName(pt::OptionType type) {
  switch (type) {
    case pt::OptionType::kBool:
      return "bool";
    case pt::OptionType::kInt:
      return "int";
    case pt::OptionType::kDouble:
      return "float";
    case pt::OptionType::kString:
      return "str";
    case pt::OptionType::kStringList:
      return "list";
  }
  return "str";
}

py::str Text(std::string_view text) { return {text.data(), text.size()}; }

py::list OptionTable() {
  py::list rows;
  for (const pt::OptionSpec& spec : pt::OptionTable()) {
    py::dict row;
    row["name"] = Text(spec.name);
    row["type"] = TypeName(spec.type);
    row["default"] = Text(spec.default_value);
    row["minimum"] = spec.min_value;
    row["maximum"] = spec.max_value;
    row["unit"] = Text(spec.unit);
    row["group"] = Text(spec.group);
    row["help"] = Text(spec.help);
    row["active"] = spec.support == pt::OptionSupport::kActive;
    rows.append(row);
  }
  return rows;
}

py::str ConfigJson(const std::string& text, const std::string& path) {
  const pt::Result<std::string> json = pt::server::ConfigTextToJson(text, path);
  pt::bindings::ThrowIfError(json.status());
  return Text(*json);
}

int ImportNumpy() {
  import_array1(-1);
  return 0;
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "The native core of pytriton; use pytriton.triton instead.";
  if (ImportNumpy() != 0 || pt::bindings::AddNativeTypes(module.ptr()) != 0) {
    throw py::error_already_set();
  }
  pt::bindings::AddServerType(module);
  pt::bindings::AddCudaTensorType(&module);
  pt::bindings::AddCudaMemoryType(&module);
  pt::bindings::AddStreamType(module.ptr());
  module.def("option_table", &OptionTable, "Every option of the server, one dict a row.");
  module.def("config_text_to_json", &ConfigJson, py::arg("text"), py::arg("path"),
             "config.pbtxt as JSON; raises PyTritonError with line and column.");
  module.def("tune_process", &pt::bindings::TuneProcess,
             "Keeps freed memory in the process. For programs that are servers.");
  module.def(
      "guard_process", [] { pt::bindings::ThrowIfError(pt::bindings::GuardProcess()); },
      "Survives clients that shrink their shared memory. For programs that are servers.");
  module.def(
      "copy_counts",
      [] {
        const pt::CopyCounts counts = pt::ReadCopyCounts();
        return py::make_tuple(counts.copies, counts.bytes);
      },
      "Copies of tensor bytes so far, and how many bytes they moved; small ones don't count.");
  module.def("trim_process", &pt::bindings::TrimProcess, "Gives freed memory back to the system.");
}
