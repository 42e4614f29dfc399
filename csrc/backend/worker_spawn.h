// Starts the program of a worker process and holds its ends: process, socket, output pipe.
//
// Thread rule: call SpawnWorker on a thread that lives as long as the workers: the kernel ends a
// worker with the thread that started it. Owner rule: WorkerChild owns descriptors and process: its
// destructor kills what still runs, and reaps it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/worker_kill_witness.h"
#include "base/status.h"

namespace pt::backend {

class WorkerTemplate;

struct SpawnOptions {
  std::string interpreter;               // path, or a name to be found in PATH
  std::string program;                   // _worker.py
  std::vector<std::string> environment;  // "NAME=value", beside this process's own
  std::vector<int> descriptors;          // handed over with the socket's first message
  // Forks the worker if it can: one of the same interpreter and environment. Null: none.
  std::shared_ptr<WorkerTemplate> origin;
};

// Sends `data` with descriptors (up to 8) on its first byte. Errors: Unavailable.
Status SendDescriptors(int socket, std::string_view data, const std::vector<int>& descriptors);

// This process's environment with `changes` in place of variables of the same names.
std::vector<std::string> MergeEnvironment(const std::vector<std::string>& changes);

class WorkerChild {
 public:
  WorkerChild() = default;
  ~WorkerChild();
  WorkerChild(const WorkerChild&) = delete;
  WorkerChild& operator=(const WorkerChild&) = delete;

  // Errors: Unavailable, with the system's reason.
  Status Spawn(const SpawnOptions& options);
  // Notes where it stands: how it ended is told with what changed since. Any number of times.
  void Look() { witness_.Look(pid_); }
  // SIGKILL. Harmless when it has ended.
  void Kill();
  // How it ended, once it has; empty while it runs. "exit status 3", "killed by signal 9 (Killed)",
  // with what is known of the reason.
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
  // False: nothing was started.
  bool Fork(const std::shared_ptr<WorkerTemplate>& origin, int socket, int output);
  pid_t Wait(int* status);

  pid_t pid_ = -1;
  int pidfd_ = -1;
  int socket_ = -1;
  int output_ = -1;
  bool is_reaped_ = false;
  KillWitness witness_;
  bool is_killed_ = false;                  // by Kill
  std::shared_ptr<WorkerTemplate> origin_;  // the process's parent; null: this process is
};

}  // namespace pt::backend
