#include "bindings/server_py.h"

#include <pybind11/stl.h>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "bindings/callable_backend.h"
#include "bindings/config_py.h"
#include "bindings/errors.h"

namespace py = pybind11;

namespace pt::bindings {
namespace {

OptionValues ReadOptions(const py::dict& options) {
  OptionValues values;
  for (const auto& [key, value] : options) {
    const auto name = key.cast<std::string>();
    if (py::isinstance<py::str>(value)) {
      ThrowIfError(values.Set(name, value.cast<std::string>()));
      continue;
    }
    for (const auto& text : value.cast<std::vector<std::string>>()) {
      ThrowIfError(values.Set(name, text));
    }
  }
  return values;
}

}  // namespace

ServerPy::ServerPy(const py::dict& options) {
  const OptionValues values = ReadOptions(options);
  auto created = server::Server::Create(values);
  ThrowIfError(created.status());
  server_ = std::move(created).value();
  releaser_ = MakeRef<PyReleaser>();
}

ServerPy::~ServerPy() {
  if (server_ == nullptr) return;
  {
    py::gil_scoped_release release;
    server_.reset();
  }
  releaser_->Stop();
}

void ServerPy::AddModel(const py::dict& config, const py::object& binding) {
  auto model = MakePyModel(config, binding, releaser_, server_->cuda());
  ModelConfig model_config = model->config;
  auto maker = CallableBackend::MakerOf(std::move(model));
  if (!maker) throw py::error_already_set();
  Status status;
  {
    py::gil_scoped_release release;
    status = server_->AddModel(std::move(model_config), std::move(maker));
  }
  ThrowIfError(status);
}

void ServerPy::AddIsolatedModel(const py::dict& config, const std::string& directory) {
  ModelConfig model_config = MakeModelConfig(config);
  Status status;
  {
    py::gil_scoped_release release;
    status = server_->AddWorkerModel(std::move(model_config), "bound", directory);
  }
  ThrowIfError(status);
}

void ServerPy::RemoveModel(const std::string& name, int64_t version) {
  Status status;
  {
    py::gil_scoped_release release;
    status = server_->RemoveModel(name, version);
  }
  ThrowIfError(status);
}

py::tuple ServerPy::Gpus() {
  Result<int> count = 0;
  {
    py::gil_scoped_release release;
    count = server_->gpu_count();
  }
  if (!count.ok()) return py::make_tuple(0, count.status().message());
  return py::make_tuple(*count, "");
}

void ServerPy::Start() {
  Status status;
  {
    py::gil_scoped_release release;
    status = server_->Start();
  }
  ThrowIfError(status);
}

bool ServerPy::AwaitModels(double seconds) {
  const auto wait = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  Result<bool> is_over = false;
  {
    py::gil_scoped_release release;
    is_over = server_->AwaitModels(std::chrono::steady_clock::now() + wait);
  }
  ThrowIfError(is_over.status());
  return *is_over;
}

void ServerPy::Stop() {
  Status status;
  {
    py::gil_scoped_release release;
    status = server_->Stop();
  }
  releaser_->DrainLocked();
  ThrowIfError(status);
}

py::object ServerPy::NextRemote() {
  std::optional<repo::AttachControl::Ask> ask;
  {
    py::gil_scoped_release release;
    ask = server_->NextAttachAsk();
  }
  if (!ask) return py::none();
  const bool is_attach = ask->kind == repo::AttachControl::Kind::kAttach;
  return py::make_tuple(ask->id, is_attach, py::bytes(ask->name), py::bytes(ask->config));
}

void ServerPy::AnswerRemote(uint64_t id, const std::string& problem) {
  py::gil_scoped_release release;
  server_->AnswerAttachAsk(id, problem.empty() ? Status() : InvalidArgument(problem));
}

void ServerPy::ForgetRemote(const std::string& name) {
  py::gil_scoped_release release;
  server_->ForgetAttached(name);
}

void ServerPy::EnterExclusiveGroup(const std::string& name) {
  py::gil_scoped_release release;
  server_->EnterExclusiveGroup(name);
}

void AddServerType(py::module_& module) {
  py::class_<ServerPy>(module, "Server", "One server: ports, event loops and models.")
      .def(py::init<const py::dict&>(), py::arg("options"),
           "options: {name: text or list of texts}, by their command-line names.")
      .def("add_model", &ServerPy::AddModel, py::arg("config"), py::arg("binding"),
           "Adds a model; returns when it is ready (or will be at start).")
      .def("add_isolated_model", &ServerPy::AddIsolatedModel, py::arg("config"),
           py::arg("directory"), "The same with callables that run in worker processes.")
      .def("gpus", &ServerPy::Gpus, "How many GPUs there are, and why there are none.")
      .def("remove_model", &ServerPy::RemoveModel, py::arg("name"), py::arg("version"),
           "Removes a model when its requests have been answered.")
      .def("allow_remotes", &ServerPy::AllowRemotes, "Lets other processes attach models.")
      .def("next_remote", &ServerPy::NextRemote, "The next ask of another process; waits.")
      .def("answer_remote", &ServerPy::AnswerRemote, py::arg("id"), py::arg("problem"),
           "Answers an ask; an empty problem: done.")
      .def("forget_remote", &ServerPy::ForgetRemote, py::arg("name"),
           "The attached model has gone by itself.")
      .def("enter_exclusive_group", &ServerPy::EnterExclusiveGroup, py::arg("name"),
           "Waits until no callable of the group runs, and keeps them from running.")
      .def("leave_exclusive_group", &ServerPy::LeaveExclusiveGroup, py::arg("name"),
           "Lets them run again.")
      .def("start", &ServerPy::Start, "Binds the ports and serves. A busy port raises at once.")
      .def("await_models", &ServerPy::AwaitModels, py::arg("seconds"),
           "Whether the loads of the start have ended; waits that long. Raises when they failed.")
      .def("stop", &ServerPy::Stop, "Finishes the work under way and closes the ports.")
      .def_property_readonly("http_port", [](const ServerPy& s) { return s.server().http_port(); })
      .def_property_readonly("grpc_port", [](const ServerPy& s) { return s.server().grpc_port(); })
      .def_property_readonly("metrics_port",
                             [](const ServerPy& s) { return s.server().metrics_port(); })
      .def_property_readonly("executions", &ServerPy::executions)
      .def_property_readonly("is_ready", [](const ServerPy& s) { return s.server().is_ready(); })
      .def_property_readonly("is_running",
                             [](const ServerPy& s) { return s.server().is_running(); });
}

}  // namespace pt::bindings
