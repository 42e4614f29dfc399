#include "repo/version_table.h"

#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

namespace pt::repo {
namespace {

// Stops that run side by side: a stop that takes long (a worker that finalizes) delays no other.
constexpr int kStopThreads = 32;

std::string Describe(const std::string& name, int64_t version) {
  return "model '" + name + "' version " + std::to_string(version);
}

}  // namespace

// One generation. In kLoading it belongs to whoever loads it, in kUnloading to its retirement; both
// may keep a pointer to it without the lock.
struct VersionTable::Entry {
  std::string name;
  int64_t version = 0;
  uint64_t generation = 0;
  Owner owner = Owner::kCode;
  VersionState state = VersionState::kLoading;
  bool has_failed = false;
  std::string reason;
  Trace trace = Trace::kUnloaded;
  std::vector<std::function<void()>> gone;  // run when it has gone
  std::shared_ptr<const void> files;        // outlives the model
  std::unique_ptr<Model> model;             // while ready or unloading
  Hold hold;                                // while ready
};

VersionTable::VersionTable() : pool_("pt-unload", kStopThreads) {}

VersionTable::~VersionTable() {
  std::vector<Hold> holds;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, generations] : models_) {
      for (const auto& entry : generations) {
        if (entry->state == VersionState::kReady) {
          holds.push_back(RetireLocked(entry.get(), Trace::kNone));
        }
      }
    }
    PublishLocked();
  }
  holds.clear();
  MutexLock lock(&mu_);
  while (retiring_ > 0) retired_.Wait(&mu_);
}

VersionTable::Entry* VersionTable::FindLocked(const std::string& name, uint64_t generation) {
  const auto named = models_.find(name);
  if (named == models_.end()) return nullptr;
  for (const auto& entry : named->second) {
    if (entry->generation == generation) return entry.get();
  }
  return nullptr;
}

VersionTable::Entry* VersionTable::ServingLocked(const std::string& name, int64_t version) {
  const auto named = models_.find(name);
  if (named == models_.end()) return nullptr;
  for (const auto& entry : named->second) {
    if (entry->version == version && entry->state == VersionState::kReady) return entry.get();
  }
  return nullptr;
}

void VersionTable::EraseLocked(const Entry* gone) {
  const auto named = models_.find(gone->name);
  std::erase_if(named->second, [gone](const auto& entry) { return entry.get() == gone; });
  if (named->second.empty()) models_.erase(named);
}

// What was unloaded or failed earlier is no longer this version's last word.
void VersionTable::EraseOlderLocked(const Entry* newer) {
  std::erase_if(models_[newer->name], [newer](const auto& other) {
    return other->state == VersionState::kUnavailable && other->version == newer->version &&
           other->generation < newer->generation;
  });
}

void VersionTable::PublishLocked() {
  RouteTable table;
  for (const auto& [name, generations] : models_) {
    NameEntry& named = table[name];
    for (const auto& entry : generations) {
      VersionEntry& version = named.versions[entry->version];
      if (entry->state != VersionState::kReady) continue;
      version.model = entry->model.get();
      version.hold = entry->hold;
    }
  }
  router_.Publish(std::move(table));
}

Result<uint64_t> VersionTable::Begin(const std::string& name, int64_t version, Owner owner) {
  MutexLock lock(&mu_);
  for (const auto& entry : models_[name]) {
    if (entry->state != VersionState::kReady && entry->state != VersionState::kLoading) continue;
    if (entry->owner != owner) {
      return AlreadyExists("model '" + name + "' is served already, from " +
                           (owner == Owner::kCode ? "a model repository" : "the program"));
    }
    if (owner == Owner::kCode && entry->version == version) {
      return AlreadyExists(Describe(name, version) + " is served already");
    }
  }
  Entry* entry = models_[name].emplace_back(std::make_unique<Entry>()).get();
  entry->name = name;
  entry->version = version;
  entry->owner = owner;
  entry->generation = next_generation_++;
  PublishLocked();  // the name is known from now on
  return entry->generation;
}

void VersionTable::Fail(const std::string& name, uint64_t generation, const Status& reason) {
  MutexLock lock(&mu_);
  Entry* entry = FindLocked(name, generation);
  if (entry == nullptr) return;
  if (entry->owner == Owner::kCode || ServingLocked(name, entry->version) != nullptr) {
    EraseLocked(entry);
  } else {
    entry->state = VersionState::kUnavailable;
    entry->has_failed = true;
    entry->reason = reason.ToString();
    EraseOlderLocked(entry);
  }
  PublishLocked();
}

void VersionTable::Drop(const std::string& name, uint64_t generation) {
  MutexLock lock(&mu_);
  const Entry* entry = FindLocked(name, generation);
  if (entry == nullptr) return;
  EraseLocked(entry);
  PublishLocked();
}

void VersionTable::BecomeReadyLocked(Entry* entry, ReadyVersion ready) {
  entry->model = std::move(ready.model);
  entry->files = std::move(ready.files);
  entry->state = VersionState::kReady;
  // Dropped with the last route table that names the model: from then on no lookup can be about to
  // acquire it.
  entry->hold = Hold(entry->model.get(),
                     [this, entry](const void*) { pool_.Post([this, entry] { Drain(entry); }); });
  EraseOlderLocked(entry);
}

VersionTable::Hold VersionTable::RetireLocked(Entry* entry, Trace trace) {
  entry->state = VersionState::kUnloading;
  entry->trace = trace;
  ++retiring_;
  return std::move(entry->hold);
}

void VersionTable::Publish(const std::string& name, std::vector<ReadyVersion> ready,
                           const Retirement& retire) {
  std::vector<Hold> holds;
  MutexLock lock(&mu_);
  for (ReadyVersion& version : ready) {
    Entry* entry = FindLocked(name, version.generation);
    if (entry == nullptr) continue;
    if (Entry* before = ServingLocked(name, entry->version)) {
      holds.push_back(RetireLocked(before, Trace::kNone));
    }
    BecomeReadyLocked(entry, std::move(version));
  }
  for (const int64_t version : retire.versions) {
    if (Entry* entry = ServingLocked(name, version)) {
      holds.push_back(RetireLocked(entry, retire.trace));
    }
  }
  PublishLocked();
  // The holds go after the lock: `holds` was made before it.
}

int VersionTable::Retire(const Retirement& retire, const std::function<void()>& gone) {
  std::vector<Hold> holds;
  {
    MutexLock lock(&mu_);
    std::vector<Entry*> leaving;
    for (const int64_t version : retire.versions) {
      if (Entry* entry = ServingLocked(retire.name, version)) leaving.push_back(entry);
    }
    const auto missing = std::make_shared<std::atomic<size_t>>(leaving.size());
    for (Entry* entry : leaving) {
      if (gone) {
        entry->gone.emplace_back([missing, gone] {
          if (missing->fetch_sub(1) == 1) gone();
        });
      }
      holds.push_back(RetireLocked(entry, retire.trace));
    }
    if (!leaving.empty()) PublishLocked();
  }
  const int count = static_cast<int>(holds.size());
  holds.clear();
  if (count == 0 && gone) gone();
  return count;
}

void VersionTable::Drain(Entry* entry) {
  // The last user may be an instance of the model itself: it can't stop itself.
  entry->model->Drain([this, entry] { pool_.Post([this, entry] { Finish(entry); }); });
}

void VersionTable::Finish(Entry* entry) {
  entry->model->Stop();
  // The model goes before its files, and both without the lock: that may take long.
  entry->model.reset();
  entry->files.reset();
  std::vector<std::function<void()>> gone;
  {
    MutexLock lock(&mu_);
    gone.swap(entry->gone);
    entry->state = VersionState::kUnavailable;
    entry->reason = "unloaded";
    const Generations& generations = models_[entry->name];
    const bool has_newer = std::any_of(generations.begin(), generations.end(), [&](const auto& o) {
      return o->version == entry->version && o->generation > entry->generation;
    });
    if (has_newer || entry->trace == Trace::kNone) EraseLocked(entry);
    PublishLocked();
  }
  for (const auto& callback : gone) callback();
  MutexLock lock(&mu_);
  --retiring_;
  retired_.NotifyAll();
}

void VersionTable::Clear(const std::string& name, Trace trace) {
  MutexLock lock(&mu_);
  const auto named = models_.find(name);
  if (named == models_.end()) return;
  for (const auto& entry : named->second) {
    if (!entry->has_failed) continue;
    entry->has_failed = false;
    entry->reason = "unloaded";
  }
  if (trace == Trace::kNone) {
    std::erase_if(named->second,
                  [](const auto& entry) { return entry->state == VersionState::kUnavailable; });
    if (named->second.empty()) models_.erase(named);
  }
  PublishLocked();
}

std::vector<int64_t> VersionTable::ReadyVersions(const std::string& name) const {
  MutexLock lock(&mu_);
  std::vector<int64_t> versions;
  const auto named = models_.find(name);
  if (named == models_.end()) return versions;
  for (const auto& entry : named->second) {
    if (entry->state == VersionState::kReady) versions.push_back(entry->version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

std::vector<IndexEntry> VersionTable::Index() const {
  MutexLock lock(&mu_);
  std::vector<IndexEntry> index;
  for (const auto& [name, generations] : models_) {
    std::map<int64_t, const Entry*> shown;
    for (const auto& entry : generations) {
      const Entry*& best = shown[entry->version];
      const auto rank = [](const Entry& e) {
        return std::make_tuple(e.state == VersionState::kReady, e.generation);
      };
      if (best == nullptr || rank(*best) < rank(*entry)) best = entry.get();
    }
    for (const auto& [version, entry] : shown) {
      index.push_back({name, std::to_string(version), entry->state, entry->reason, {}, true});
    }
  }
  return index;
}

bool VersionTable::IsReady() const {
  MutexLock lock(&mu_);
  return std::all_of(models_.begin(), models_.end(), [](const auto& named) {
    bool is_missing = false;
    for (const auto& entry : named.second) {
      if (entry->state == VersionState::kReady) return true;
      is_missing = is_missing || entry->has_failed ||
                   (entry->state == VersionState::kLoading && entry->owner == Owner::kCode);
    }
    return !is_missing;
  });
}

void VersionTable::ForEachReady(const std::function<void(Model&)>& visit) const {
  std::vector<ModelHandle> ready;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, generations] : models_) {
      for (const auto& entry : generations) {
        if (entry->state != VersionState::kReady) continue;
        if (ModelHandle handle = entry->model->Acquire()) ready.push_back(std::move(handle));
      }
    }
  }
  std::sort(ready.begin(), ready.end(), [](const ModelHandle& a, const ModelHandle& b) {
    return std::make_tuple(std::string_view(a->name()), a->version()) <
           std::make_tuple(std::string_view(b->name()), b->version());
  });
  for (const ModelHandle& handle : ready) visit(*handle);
}

int64_t VersionTable::InFlight() const {
  MutexLock lock(&mu_);
  int64_t count = 0;
  for (const auto& [name, generations] : models_) {
    for (const auto& entry : generations) {
      if (entry->model) count += entry->model->users();
    }
  }
  return count;
}

int64_t VersionTable::InFlight(const std::string& name) const {
  MutexLock lock(&mu_);
  int64_t count = 0;
  const auto named = models_.find(name);
  if (named == models_.end()) return 0;
  for (const auto& entry : named->second) {
    if (entry->model) count += entry->model->users();
  }
  return count;
}

}  // namespace pt::repo
