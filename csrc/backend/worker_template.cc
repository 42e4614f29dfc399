#include "backend/worker_template.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "backend/worker_codec.h"

namespace pt::backend {
namespace {

using std::chrono::steady_clock;

enum Command : uint32_t { kFork = 1, kReap = 2 };

// Until a template's interpreter has come up; then workers are started without one.
constexpr Duration kStartLimit = std::chrono::seconds(30);
// It does nothing but answer: whoever takes longer hangs.
constexpr Duration kAnswerLimit = std::chrono::seconds(2);

std::string KeyOf(const SpawnOptions& options) {
  std::string key = options.interpreter;
  for (const std::string& variable : MergeEnvironment(options.environment)) {
    key.append(1, '\0').append(variable);
  }
  return key;
}

}  // namespace

Result<std::shared_ptr<WorkerTemplate>> WorkerTemplate::Start(const SpawnOptions& options) {
  std::shared_ptr<WorkerTemplate> made(new WorkerTemplate);
  MutexLock lock(&made->mu_);
  PT_RETURN_IF_ERROR(made->child_.Spawn(options));
  return made;
}

WorkerTemplate::~WorkerTemplate() = default;

bool WorkerTemplate::is_spent() const {
  MutexLock lock(&mu_);
  return is_spent_;
}

bool WorkerTemplate::Read(char* data, size_t size, TimePoint deadline) {
  while (size > 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd ready{child_.socket(), POLLIN, 0};
    const int count = poll(&ready, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    const ssize_t got = read(child_.socket(), data, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return false;
    data += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

bool WorkerTemplate::Await(TimePoint deadline) {
  MutexLock lock(&mu_);
  char hello = 0;
  if (!is_ready_ && !is_spent_) is_ready_ = Read(&hello, 1, deadline);
  if (!is_ready_) is_spent_ = is_gone_ = true;
  return !is_spent_;
}

int64_t WorkerTemplate::Ask(std::string_view command, const std::vector<int>& descriptors) {
  int64_t answer = -1;
  if (is_gone_) return answer;
  const bool is_answered =
      SendDescriptors(child_.socket(), command, descriptors).ok() &&
      Read(reinterpret_cast<char*>(&answer), sizeof answer, steady_clock::now() + kAnswerLimit);
  if (is_answered) return answer;
  // Its workers go with it: a command half done would confuse all that follow.
  is_spent_ = true;
  is_gone_ = true;
  child_.Kill();
  return -1;
}

pid_t WorkerTemplate::Fork(int socket, int output) {
  std::error_code error;
  const std::string directory = std::filesystem::current_path(error).string();
  MessageWriter command;
  command.Put(uint32_t{kFork}).Put(static_cast<uint32_t>(directory.size())).Bytes(directory);
  MutexLock lock(&mu_);
  const int64_t pid = Ask(command.bytes(), {socket, output});
  if (pid > 0) return static_cast<pid_t>(pid);
  is_spent_ = true;  // what it has imported is not what is installed now, or the system is full
  return -1;
}

std::optional<int> WorkerTemplate::Reap(pid_t pid) {
  MessageWriter command;
  command.Put(uint32_t{kReap}).Put(static_cast<uint32_t>(pid));
  MutexLock lock(&mu_);
  const int64_t status = Ask(command.bytes(), {});
  if (status < 0) return std::nullopt;
  return static_cast<int>(status);
}

WorkerTemplates::WorkerTemplates(WorkerMonitor* monitor, std::string program, size_t most)
    : monitor_(monitor), program_(std::move(program)), most_(most) {}

std::shared_ptr<WorkerTemplate> WorkerTemplates::Get(const SpawnOptions& worker) {
  if (most_ == 0) return nullptr;
  const std::string key = KeyOf(worker);
  std::list<Kept> dropped;  // end without the lock
  MutexLock lock(&mu_);
  const auto known =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.key == key; });
  if (known != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, known);
    if (!known->entry->is_spent()) return known->entry;
    dropped.splice(dropped.begin(), kept_, known);
  }
  SpawnOptions options;
  options.interpreter = worker.interpreter;
  options.program = program_;
  options.environment = worker.environment;
  Result<std::shared_ptr<WorkerTemplate>> made = Unavailable("not started yet");
  monitor_->RunAndWait([&] { made = WorkerTemplate::Start(options); });
  if (!made.ok() || !(*made)->Await(steady_clock::now() + kStartLimit)) return nullptr;
  kept_.push_front({key, *made});
  while (kept_.size() > most_) dropped.splice(dropped.begin(), kept_, std::prev(kept_.end()));
  return *made;
}

}  // namespace pt::backend
