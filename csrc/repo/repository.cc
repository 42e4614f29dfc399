#include "repo/repository.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "infer/scheduler.h"

namespace pt::repo {
namespace {

// Something that happens once and is waited for.
class Event {
 public:
  void Happen() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    has_happened_ = true;
    // Under the lock: the waiter may destroy this object as soon as it sees the flag.
    cv_.NotifyAll();
  }

  void Wait() EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    while (!has_happened_) cv_.Wait(&mu_);
  }

 private:
  Mutex mu_;
  CondVar cv_;
  bool has_happened_ GUARDED_BY(mu_) = false;
};

std::string Describe(const std::string& name, int64_t version) {
  return "model '" + name + "' version " + std::to_string(version);
}

}  // namespace

// One generation of one version. An entry in transit (kLoading, kUnloading) is erased only by the
// thread that moves it, so that thread may keep a pointer to it without the lock.
struct Repository::Entry {
  std::string name;
  int64_t version = 0;
  uint64_t generation = 0;
  VersionState state = VersionState::kLoading;
  std::string reason;
  std::unique_ptr<Model> model;        // while ready or unloading
  std::shared_ptr<Event> unpublished;  // happens when the last route table with `hold` is gone
  std::shared_ptr<const void> hold;    // while ready

  void BecomeReady(std::unique_ptr<Model> ready_model) {
    model = std::move(ready_model);
    state = VersionState::kReady;
    unpublished = std::make_shared<Event>();
    hold = std::shared_ptr<const void>(model.get(),
                                       [event = unpublished](const void*) { event->Happen(); });
  }
};

Repository::Repository(SchedulerFactory factory) : factory_(std::move(factory)) {}

Repository::~Repository() {
  std::vector<std::pair<std::string, int64_t>> ready;
  {
    MutexLock lock(&mu_);
    for (const auto& entry : entries_) {
      if (entry->state == VersionState::kReady) ready.emplace_back(entry->name, entry->version);
    }
  }
  for (const auto& [name, version] : ready) {
    const Status status = RemoveModel(name, version);
    PT_DCHECK(status.ok());
  }
}

Repository::Entry* Repository::FindLocked(const std::string& name, int64_t version) const {
  Entry* newest = nullptr;
  for (const auto& entry : entries_) {
    if (entry->name != name || entry->version != version) continue;
    if (newest == nullptr || newest->generation < entry->generation) newest = entry.get();
  }
  return newest;
}

void Repository::EraseLocked(const Entry* gone) {
  const auto at = std::find_if(entries_.begin(), entries_.end(),
                               [gone](const auto& entry) { return entry.get() == gone; });
  if (at != entries_.end()) entries_.erase(at);
}

void Repository::PublishLocked() {
  RouteTable table;
  for (const auto& entry : entries_) {
    VersionEntry& version = table[entry->name].versions[entry->version];
    if (entry->state != VersionState::kReady) continue;
    version.model = entry->model.get();
    version.hold = entry->hold;
  }
  router_.Publish(std::move(table));
}

Result<std::unique_ptr<Model>> Repository::Load(ModelConfig config, uint64_t generation,
                                                std::unique_ptr<Backend> backend) const {
  auto model = std::make_unique<Model>(std::move(config), generation);
  PT_ASSIGN_OR_RETURN(std::unique_ptr<Scheduler> scheduler, factory_(model.get(), backend.get()));
  model->Attach(std::move(backend), std::move(scheduler));
  PT_RETURN_IF_ERROR(model->Start());
  return model;
}

Status Repository::AddModel(ModelConfig config, std::unique_ptr<Backend> backend) {
  Entry* entry = nullptr;
  {
    MutexLock lock(&mu_);
    const Entry* before = FindLocked(config.name, config.version);
    if (before != nullptr &&
        (before->state == VersionState::kReady || before->state == VersionState::kLoading)) {
      return AlreadyExists(Describe(config.name, config.version) + " is served already");
    }
    entry = entries_.emplace_back(std::make_unique<Entry>()).get();
    entry->name = config.name;
    entry->version = config.version;
    entry->generation = next_generation_++;
    PublishLocked();  // the name is known from now on
  }
  Result<std::unique_ptr<Model>> model =
      Load(std::move(config), entry->generation, std::move(backend));
  MutexLock lock(&mu_);
  if (!model.ok()) {
    EraseLocked(entry);
    PublishLocked();
    return model.status();
  }
  entry->BecomeReady(std::move(model).value());
  // What was unloaded earlier is no longer this version's last word.
  std::erase_if(entries_, [entry](const auto& other) {
    return other->state == VersionState::kUnavailable && other->name == entry->name &&
           other->version == entry->version;
  });
  PublishLocked();
  return {};
}

Status Repository::RemoveModel(const std::string& name, int64_t version) {
  Entry* entry = nullptr;
  std::shared_ptr<Event> unpublished;
  std::shared_ptr<const void> hold;
  {
    MutexLock lock(&mu_);
    entry = FindLocked(name, version);
    if (entry == nullptr || entry->state != VersionState::kReady) {
      return NotFound(Describe(name, version) + " is not served");
    }
    entry->state = VersionState::kUnloading;
    unpublished = entry->unpublished;
    hold = std::move(entry->hold);
    PublishLocked();
  }
  hold.reset();
  unpublished->Wait();  // no lookup can be about to acquire it any more
  const auto drained = std::make_shared<Event>();
  entry->model->Drain([drained] { drained->Happen(); });
  drained->Wait();
  entry->model->Stop();
  std::unique_ptr<Model> gone;  // destroyed after the lock was left
  MutexLock lock(&mu_);
  gone = std::move(entry->model);
  entry->state = VersionState::kUnavailable;
  entry->reason = "unloaded";
  if (FindLocked(name, version) != entry) EraseLocked(entry);  // loaded anew meanwhile
  PublishLocked();
  return {};
}

std::vector<IndexEntry> Repository::Index() const {
  MutexLock lock(&mu_);
  std::vector<const Entry*> newest;
  for (const auto& entry : entries_) {
    if (FindLocked(entry->name, entry->version) == entry.get()) newest.push_back(entry.get());
  }
  std::sort(newest.begin(), newest.end(), [](const Entry* a, const Entry* b) {
    return std::tie(a->name, a->version) < std::tie(b->name, b->version);
  });
  std::vector<IndexEntry> index;
  index.reserve(newest.size());
  for (const Entry* entry : newest) {
    index.push_back({entry->name, std::to_string(entry->version), entry->state, entry->reason});
  }
  return index;
}

bool Repository::IsReady() const {
  MutexLock lock(&mu_);
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    // An unloaded or unloading version is not wished for any more.
    return entry->state != VersionState::kLoading;
  });
}

void Repository::ForEachReady(const std::function<void(Model&)>& visit) const {
  std::vector<ModelHandle> ready;
  {
    MutexLock lock(&mu_);
    for (const auto& entry : entries_) {
      if (entry->state != VersionState::kReady) continue;
      if (ModelHandle handle = entry->model->Acquire()) ready.push_back(std::move(handle));
    }
  }
  std::sort(ready.begin(), ready.end(), [](const ModelHandle& a, const ModelHandle& b) {
    return std::make_tuple(std::string_view(a->name()), a->version()) <
           std::make_tuple(std::string_view(b->name()), b->version());
  });
  for (const ModelHandle& handle : ready) visit(*handle);
}

int64_t Repository::InFlight() const {
  MutexLock lock(&mu_);
  int64_t count = 0;
  for (const auto& entry : entries_) {
    if (entry->model) count += entry->model->users();
  }
  return count;
}

}  // namespace pt::repo
