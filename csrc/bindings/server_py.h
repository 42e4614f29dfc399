// ServerPy: one server as Python holds it: nouns and verbs, nothing more.
//
// Thread rule: thread-safe; every function that may block gives up the interpreter lock.
// Owner rule: owns the core's server and the thread that drops Python references.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "bindings/py_release.h"
#include "server/server.h"

namespace pt::bindings {

class ServerPy {
 public:
  // `options`: {name: text or list of texts}. Throws PyTritonValidationError for a bad one.
  explicit ServerPy(const pybind11::dict& options);
  ~ServerPy();
  ServerPy(const ServerPy&) = delete;
  ServerPy& operator=(const ServerPy&) = delete;

  void AddModel(const pybind11::dict& config, const pybind11::object& binding);
  // Its callables run in worker processes, which find them in `directory`.
  void AddIsolatedModel(const pybind11::dict& config, const std::string& directory);
  pybind11::tuple Gpus();
  void RemoveModel(const std::string& name, int64_t version);
  void Start();
  // False when the loads of the start still run after that time. Throws when they have failed.
  bool AwaitModels(double seconds);
  // Throws when work under way had to be cancelled.
  void Stop();
  // Lets other processes attach models; the asks are to be taken and answered (_remote_models.py).
  void AllowRemotes() { server_->AllowAttaching(); }
  // (id, is_attach, name, config), or None when the server has stopped. Waits.
  pybind11::object NextRemote();
  void AnswerRemote(uint64_t id, const std::string& problem);
  void ForgetRemote(const std::string& name);
  void EnterExclusiveGroup(const std::string& name);
  void LeaveExclusiveGroup(const std::string& name) { server_->LeaveExclusiveGroup(name); }
  const server::Server& server() const { return *server_; }
  // Grows with every batch that ran: tells an idle server.
  uint64_t executions() const { return releaser_->drains(); }

 private:
  RefPtr<PyReleaser> releaser_;  // outlives everything that posts to it
  std::unique_ptr<server::Server> server_;
};

void AddServerType(pybind11::module_& module);

}  // namespace pt::bindings
