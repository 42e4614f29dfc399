// pytriton for C++ programs: a server that owns sockets, scheduling and tensors, and runs
// callables.
//
//   pytriton::ServerOptions options;
//   pytriton::Status status = options.Set("http-port", "8000");
//   auto server = pytriton::Server::Create(options, &status);  // null: status says why
//   status = server->AddModel(model, [](pytriton::Batch& batch) { ... });
//   status = server->Start(); ... status = server->Stop();
//
// Thread rule: every function may be called from any thread that is not inside a callable.
// No global state: any number of servers live side by side. No exception leaves this library, and
// none may enter it: a callable reports failure with Request::Fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#if defined(_WIN32)
#define PYTRITON_EXPORT
#else
#define PYTRITON_EXPORT __attribute__((visibility("default")))
#endif

namespace pytriton {

// Empty message: success.
struct [[nodiscard]] Status {
  std::string code;  // "", "Invalid argument", "Unavailable", ...
  std::string message;
  bool ok() const { return code.empty(); }
};

// The 14 element types, by their protocol names ("FP32", "BYTES", ...).
struct TensorSpec {
  std::string name;
  std::string datatype;
  std::vector<int64_t> shape;  // without the batch dimension; -1: any
  bool optional = false;
};

struct ModelConfig {
  std::string name;
  int64_t version = 1;
  int64_t max_batch_size = 0;  // 0: no batch dimension, one request a call
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool dynamic_batching = true;  // with max_batch_size > 0
  uint64_t max_queue_delay_us = 0;
  uint32_t max_queue_size = 0;  // requests; 0: unbounded
  std::vector<int32_t> preferred_batch_sizes;
  bool preserve_ordering = false;
  int instances = 1;  // the callable runs on that many fixed threads
};

// Borrowed views; valid during the callable.
struct TensorView {
  std::string_view name;
  std::string_view datatype;
  std::vector<int64_t> shape;
  const void* data =
      nullptr;  // contiguous, little-endian; BYTES: 4-byte length before each element
  size_t byte_size = 0;
};

// One request of a batch.
class PYTRITON_EXPORT Request {
 public:
  virtual ~Request() = default;
  virtual std::string_view id() const = 0;
  virtual const std::vector<TensorView>& inputs() const = 0;
  // True once the client left: the answer will be dropped.
  virtual bool cancelled() const = 0;
  // Memory for output `name`, 64-byte aligned, to be filled before the callable returns. Null when
  // the output is unknown, the shape does not fit the model, or there is no memory; the request
  // then fails with the reason.
  virtual void* AddOutput(std::string_view name, const std::vector<int64_t>& shape,
                          size_t byte_size) = 0;
  // Answers this request with an error instead of outputs.
  virtual void Fail(const std::string& message) = 0;
};

using Batch = std::vector<Request*>;
// Called on an instance's thread, never twice at once for one instance. Must not throw.
using Callable = std::function<void(Batch& batch)>;

// Options by their command-line names (see `python -m pytriton.serve --help`).
class PYTRITON_EXPORT ServerOptions {
 public:
  ServerOptions();
  ~ServerOptions();
  ServerOptions(const ServerOptions& other);
  ServerOptions& operator=(const ServerOptions& other);
  // Error: unknown name, or a value of the wrong type or out of bounds; the text says what was
  // expected.
  Status Set(std::string_view name, std::string_view value);

 private:
  friend class Server;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class PYTRITON_EXPORT Server {
 public:
  // Errors come back in `status`; the pointer is then null.
  static std::unique_ptr<Server> Create(const ServerOptions& options, Status* status);
  virtual ~Server() = default;  // stops

  // Binds the ports and serves. A busy port fails at once and is named in the message.
  virtual Status Start() = 0;
  // Readiness turns false, work under way finishes up to exit-timeout-secs, ports close.
  // Idempotent.
  virtual Status Stop() = 0;
  // Blocks until the model is ready; allowed before and after Start.
  virtual Status AddModel(const ModelConfig& config, Callable callable) = 0;
  virtual Status RemoveModel(const std::string& name, int64_t version) = 0;
  // The ports taken (useful with port 0); 0 when that protocol is off or not started.
  virtual int http_port() const = 0;
  virtual int grpc_port() const = 0;
  virtual int metrics_port() const = 0;
  virtual bool ready() const = 0;
};

}  // namespace pytriton
