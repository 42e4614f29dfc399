#include "backend/worker_spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "backend/worker_template.h"

// POSIX gives it this type.
extern char** environ;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

namespace pt::backend {
namespace {

constexpr int kWorkerSocket = 3;  // its number in the worker

Status Failed(const std::string& what, int error) {
  return Unavailable("expected to " + what + ", got: " + std::strerror(error));
}

void CloseFd(int* fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Signals as a fresh program has them, a process group of its own (a terminal's Ctrl-C is for the
// server), and no descriptor but the first four.
class SpawnPlan {
 public:
  SpawnPlan(int socket, int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, 1);
    posix_spawn_file_actions_adddup2(&actions_, output, 2);
    posix_spawn_file_actions_adddup2(&actions_, socket, kWorkerSocket);
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&actions_, kWorkerSocket + 1);
#endif
#endif
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Why somebody but this server has killed a worker.
const char* ReasonOf(KillWitness::Verdict verdict) {
  switch (verdict) {
    case KillWitness::Verdict::kSure:
      return " by the kernel, for want of memory (oom_kill of its memory cgroup rose)";
    case KillWitness::Verdict::kLikely:
      return ", most likely by the kernel for want of memory (oom_kill of the system rose)";
    case KillWitness::Verdict::kUnknown:
      break;
  }
  return ", perhaps for want of memory";
}

}  // namespace

Status SendDescriptors(int socket, std::string_view data, const std::vector<int>& descriptors) {
  iovec bytes{const_cast<char*>(data.data()), data.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)] = {};
  const size_t size = sizeof(int) * descriptors.size();
  if (descriptors.size() > 8) return Internal("expected at most 8 descriptors for a worker");
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (size > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(data.size())) return {};
  return Failed("send a worker its memory", sent < 0 ? errno : EAGAIN);
}

std::vector<std::string> MergeEnvironment(const std::vector<std::string>& changes) {
  std::vector<std::string> merged = changes;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    bool is_replaced = false;
    for (const std::string& change : changes) is_replaced |= change.starts_with(name);
    if (!is_replaced) merged.emplace_back(text);
  }
  return merged;
}

WorkerChild::~WorkerChild() {
  if (pid_ > 0 && !is_reaped_) {
    Kill();
    kill(-pid_, SIGKILL);  // and what it has started
    Await();
  }
  CloseFd(&pidfd_);
  CloseFd(&socket_);
  CloseFd(&output_);
}

Status WorkerChild::Spawn(const SpawnOptions& options) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return Failed("make a worker's socket", errno);
  }
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) {
    const int error = errno;
    close(sockets[0]);
    close(sockets[1]);
    return Failed("make a worker's output pipe", error);
  }
  socket_ = sockets[0];
  output_ = pipes[0];
  fcntl(socket_, F_SETFL, O_NONBLOCK);
  fcntl(output_, F_SETFL, O_NONBLOCK);
  // The worker's numbers are low: ends that lie there would be overwritten before they are copied.
  int socket = fcntl(sockets[1], F_DUPFD_CLOEXEC, 10);
  int output = fcntl(pipes[1], F_DUPFD_CLOEXEC, 10);
  close(sockets[1]);
  close(pipes[1]);
  Status status;
  if (socket < 0 || output < 0) {
    status = Failed("start a worker", errno);
  } else if (!Fork(options.origin, socket, output)) {
    status = Start(options, socket, output);
  }
  if (status.ok()) Look();
  if (status.ok() && !options.descriptors.empty()) {
    status = SendDescriptors(socket_, "W", options.descriptors);
  }
  CloseFd(&socket);
  CloseFd(&output);
  return status;
}

Status WorkerChild::Start(const SpawnOptions& options, int socket, int output) {
  SpawnPlan plan(socket, output);
  std::vector<std::string> environment = MergeEnvironment(options.environment);
  std::vector<std::string> arguments = {options.interpreter, "-X", "utf8", options.program,
                                        std::to_string(getpid())};
  const int error =
      posix_spawnp(&pid_, options.interpreter.c_str(), &plan.actions_, &plan.attributes_,
                   Pointers(&arguments).data(), Pointers(&environment).data());
  if (error != 0) {
    pid_ = -1;
    return Failed("start the interpreter '" + options.interpreter + "'", error);
  }
#ifdef SYS_pidfd_open
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
#endif
  return {};
}

bool WorkerChild::Fork(const std::shared_ptr<WorkerTemplate>& origin, int socket, int output) {
#ifdef SYS_pidfd_open
  if (!origin) return false;
  const pid_t pid = origin->Fork(socket, output);
  if (pid < 0) return false;
  // Nobody but the template can reap it, and that only when it is told to: the number is its.
  pid_ = pid;
  origin_ = origin;
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ >= 0) return true;
  Kill();
  Await();
  is_reaped_ = is_killed_ = false;
  origin_.reset();
#endif
  return false;
}

pid_t WorkerChild::Wait(int* status) {
  if (origin_) {
    pollfd ended{pidfd_, POLLIN, 0};
    if (poll(&ended, 1, 0) == 0) return 0;
    const std::optional<int> found = origin_->Reap(pid_);
    if (found) *status = *found;
    if (found) return pid_;
    // The template has gone: whoever got its children may be this process.
  }
  return waitpid(pid_, status, WNOHANG);
}

void WorkerChild::Kill() {
  is_killed_ = true;
  if (pid_ > 0 && !is_reaped_) kill(pid_, SIGKILL);
}

std::optional<std::string> WorkerChild::Reap() {
  int status = 0;
  const pid_t result = Wait(&status);
  if (result == 0) return std::nullopt;
  return Describe(result, status);
}

std::string WorkerChild::Await() {
  int status = 0;
  pid_t result = -1;
  if (origin_) {
    pollfd ended{pidfd_, POLLIN, 0};
    while (poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    result = Wait(&status);
    return Describe(result == 0 ? -1 : result, status);
  }
  do {
    result = waitpid(pid_, &status, 0);
  } while (result < 0 && errno == EINTR);
  return Describe(result, status);
}

std::string WorkerChild::Describe(pid_t result, int status) {
  is_reaped_ = true;
  if (result < 0) return "exit status unknown";  // somebody else in this process has taken it
  if (!WIFSIGNALED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const bool is_foreign = signal == SIGKILL && !is_killed_;
  return "killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")" +
         (is_foreign ? ReasonOf(witness_.Judge()) : "");
}

}  // namespace pt::backend
