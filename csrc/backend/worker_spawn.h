// Starts the program of a worker process and holds its ends: process, socket, output pipe.
//
// Thread rule: call SpawnWorker on a thread that lives as long as the workers: the kernel ends a
// worker with the thread that started it. Owner rule: WorkerChild owns descriptors and process: its
// destructor kills what still runs, and reaps it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace pt::backend {

struct SpawnOptions {
  std::string interpreter;               // path, or a name to be found in PATH
  std::string program;                   // _worker.py
  std::vector<std::string> environment;  // "NAME=value", beside this process's own
  std::vector<int> descriptors;          // handed over with the socket's first message
};

class WorkerChild {
 public:
  WorkerChild() = default;
  ~WorkerChild();
  WorkerChild(const WorkerChild&) = delete;
  WorkerChild& operator=(const WorkerChild&) = delete;

  // Errors: Unavailable, with the system's reason.
  Status Spawn(const SpawnOptions& options);
  // SIGKILL. Harmless when it has ended.
  void Kill();
  // How it ended, once it has; empty while it runs. "exit status 3", "killed by signal 9 (Killed)".
  std::optional<std::string> Reap();

  // The same, once it has ended; waits for that.
  std::string Await();

  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_; }    // readable when it has ended; -1: not supported
  int socket() const { return socket_; }  // non-blocking; end of file when it has ended
  int output() const { return output_; }  // its stdout and stderr, non-blocking

 private:
  std::string Describe(pid_t result, int status);
  Status Start(const SpawnOptions& options, int socket, int output);

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int socket_ = -1;
  int output_ = -1;
  bool is_reaped_ = false;
};

}  // namespace pt::backend
