#include "repo/version_table.h"

#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

#include "repo/model_key.h"
#include "repo/version_entry.h"

namespace pt::repo {
namespace {

// Stops that run side by side; one that takes long (a worker that finalizes) holds up no other.
constexpr int kStopThreads = 32;
constexpr Duration kStopPatience = std::chrono::seconds(2);

std::string Describe(const std::string& name, int64_t version) {
  return "model '" + name + "' version " + std::to_string(version);
}

}  // namespace

// Models of the program are their names; those of files may be in a namespace.
std::string_view VersionTable::NameOf(const std::string& key, const Generations& generations) {
  const bool is_of_code = !generations.empty() && generations.front()->owner == Owner::kCode;
  return is_of_code ? std::string_view(key) : NameOfKey(key);
}

VersionTable::VersionTable() : pool_("pt-unload", kStopThreads, kStopPatience) {}

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
  AwaitRetired();
}

void VersionTable::AwaitRetired() {
  MutexLock lock(&mu_);
  if (limits_.end) {
    const TimePoint until = std::chrono::steady_clock::now() + *limits_.end;
    while (retiring_ > 0) {
      if (!retired_.WaitUntil(&mu_, until)) break;
    }
    for (const auto& [key, generations] : models_) {
      for (const auto& entry : generations) {
        if (entry->state == VersionState::kUnloading && entry->model) entry->model->Abandon();
      }
    }
  }
  while (retiring_ > 0) retired_.Wait(&mu_);
}

void VersionTable::LimitDrains(const DrainLimits& limits) {
  MutexLock lock(&mu_);
  limits_ = limits;
}

VersionTable::Entry* VersionTable::FindLocked(const std::string& key, uint64_t generation) {
  const auto named = models_.find(key);
  if (named == models_.end()) return nullptr;
  for (const auto& entry : named->second) {
    if (entry->generation == generation) return entry.get();
  }
  return nullptr;
}

VersionTable::Entry* VersionTable::ServingLocked(const std::string& key, int64_t version) {
  const auto named = models_.find(key);
  if (named == models_.end()) return nullptr;
  for (const auto& entry : named->second) {
    if (entry->version == version && entry->state == VersionState::kReady) return entry.get();
  }
  return nullptr;
}

void VersionTable::EraseLocked(const Entry* gone) {
  const auto named = models_.find(gone->key);
  std::erase_if(named->second, [gone](const auto& entry) { return entry.get() == gone; });
  if (named->second.empty()) models_.erase(named);
}

// What was unloaded or failed earlier is no longer this version's last word.
void VersionTable::EraseOlderLocked(const Entry* newer) {
  std::erase_if(models_[newer->key], [newer](const auto& other) {
    return other->state == VersionState::kUnavailable && other->version == newer->version &&
           other->generation < newer->generation;
  });
}

void VersionTable::TrimTracesLocked(const std::string& key) {
  Generations& generations = models_[key];
  const auto is_trace = [](const auto& entry) {
    return entry->state == VersionState::kUnavailable;
  };
  auto count = static_cast<size_t>(std::count_if(generations.begin(), generations.end(), is_trace));
  // They lie in the order of their generations: the oldest come first.
  std::erase_if(generations, [&](const auto& entry) {
    if (!is_trace(entry) || count <= kMaxTraces) return false;
    --count;
    return true;
  });
}

void VersionTable::PublishLocked() {
  RouteTable table;
  for (const auto& [key, generations] : models_) {
    NameEntry& named = table[std::string(NameOf(key, generations))];
    bool serves = false;
    for (const auto& entry : generations) {
      VersionEntry& version = named.versions[entry->version];
      if (entry->state != VersionState::kReady) continue;
      version.model = entry->model.get();
      version.hold = entry->hold;
      serves = true;
    }
    if (serves) ++named.serving_models;
  }
  router_.Publish(std::move(table));
}

Result<uint64_t> VersionTable::Begin(const std::string& key, int64_t version, Owner owner) {
  MutexLock lock(&mu_);
  for (const auto& entry : models_[key]) {
    if (entry->state != VersionState::kReady && entry->state != VersionState::kLoading) continue;
    if (entry->owner != owner) {
      return AlreadyExists("model '" + key + "' is served already, from " +
                           (owner == Owner::kCode ? "a model repository" : "the program"));
    }
    if (owner == Owner::kCode && entry->version == version) {
      return AlreadyExists(Describe(key, version) + " is served already");
    }
  }
  Entry* entry = models_[key].emplace_back(std::make_unique<Entry>()).get();
  entry->key = key;
  entry->version = version;
  entry->owner = owner;
  entry->generation = next_generation_++;
  PublishLocked();  // the name is known from now on
  return entry->generation;
}

void VersionTable::Fail(const std::string& key, uint64_t generation, const Status& reason) {
  MutexLock lock(&mu_);
  Entry* entry = FindLocked(key, generation);
  if (entry == nullptr || entry->state != VersionState::kLoading) return;
  if (entry->owner == Owner::kCode || ServingLocked(key, entry->version) != nullptr) {
    EraseLocked(entry);
  } else {
    entry->state = VersionState::kUnavailable;
    entry->has_failed = true;
    entry->reason = reason.ToString();
    EraseOlderLocked(entry);
    TrimTracesLocked(key);
  }
  PublishLocked();
}

void VersionTable::Drop(const std::string& key, uint64_t generation) {
  MutexLock lock(&mu_);
  const Entry* entry = FindLocked(key, generation);
  if (entry == nullptr || entry->state != VersionState::kLoading) return;
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
  if (limits_.alarm != nullptr && limits_.retired.count() > 0) {
    entry->limit = limits_.alarm->Arm(
        std::chrono::steady_clock::now() + limits_.retired,
        [this, key = entry->key, generation = entry->generation] { Abandon(key, generation); });
  }
  return std::move(entry->hold);
}

void VersionTable::Publish(const std::string& key, std::vector<ReadyVersion> ready,
                           const Retirement& retire) {
  std::vector<Hold> holds;
  MutexLock lock(&mu_);
  for (ReadyVersion& version : ready) {
    Entry* entry = FindLocked(key, version.generation);
    if (entry == nullptr) continue;
    if (Entry* before = ServingLocked(key, entry->version)) {
      holds.push_back(RetireLocked(before, Trace::kNone));
    }
    BecomeReadyLocked(entry, std::move(version));
  }
  for (const int64_t version : retire.versions) {
    if (Entry* entry = ServingLocked(key, version)) {
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
      if (Entry* entry = ServingLocked(retire.key, version)) leaving.push_back(entry);
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

bool VersionTable::IsDrainingLocked(const std::string& key) const {
  const auto named = models_.find(key);
  if (named == models_.end()) return false;
  return std::any_of(named->second.begin(), named->second.end(),
                     [](const auto& entry) { return entry->state == VersionState::kUnloading; });
}

Status VersionTable::AwaitDrained(const std::string& key, LoadControl* control) {
  if (control != nullptr) {
    control->OnCancel([this](const Status&) {
      MutexLock lock(&mu_);
      retired_.NotifyAll();
    });
  }
  MutexLock lock(&mu_);
  for (;;) {
    const std::optional<Status> reason = control == nullptr ? std::nullopt : control->cancelled();
    if (reason) return *reason;
    if (!IsDrainingLocked(key)) return {};
    retired_.Wait(&mu_);
  }
}

void VersionTable::Drain(Entry* entry) {
  // The last user may be an instance of the model itself: it can't stop itself.
  entry->model->Drain([this, entry] { pool_.Post([this, entry] { Finish(entry); }); });
}

void VersionTable::Abandon(const std::string& key, uint64_t generation) {
  MutexLock lock(&mu_);
  Entry* entry = FindLocked(key, generation);
  if (entry != nullptr && entry->model) entry->model->Abandon();
}

void VersionTable::Finish(Entry* entry) {
  std::unique_ptr<Model> model;
  Alarm* alarm = nullptr;
  {
    MutexLock lock(&mu_);
    model = std::move(entry->model);
    alarm = limits_.alarm;
  }
  if (entry->limit != 0) alarm->Disarm(entry->limit);
  model->Stop();
  // The model goes before its files, and both without the lock: that may take long.
  model.reset();
  entry->files.reset();
  std::vector<std::function<void()>> gone;
  {
    MutexLock lock(&mu_);
    gone.swap(entry->gone);
    entry->state = VersionState::kUnavailable;
    entry->reason = "unloaded";
    const std::string key = entry->key;
    const Generations& generations = models_[key];
    const bool has_newer = std::any_of(generations.begin(), generations.end(), [&](const auto& o) {
      return o->version == entry->version && o->generation > entry->generation;
    });
    if (has_newer || entry->trace == Trace::kNone) {
      EraseLocked(entry);
    } else {
      TrimTracesLocked(key);
    }
    PublishLocked();
  }
  for (const auto& callback : gone) callback();
  MutexLock lock(&mu_);
  --retiring_;
  retired_.NotifyAll();
}

void VersionTable::Clear(const std::string& key, Trace trace) {
  MutexLock lock(&mu_);
  const auto named = models_.find(key);
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

}  // namespace pt::repo
