// What others see of a VersionTable.
#include <algorithm>
#include <tuple>
#include <utility>

#include "repo/model_key.h"
#include "repo/version_entry.h"
#include "repo/version_table.h"

namespace pt::repo {

ModelHandle VersionTable::Acquire(const std::string& key, int64_t version) {
  MutexLock lock(&mu_);
  Entry* entry = ServingLocked(key, version);
  return entry == nullptr ? ModelHandle() : entry->model->Acquire();
}

std::vector<int64_t> VersionTable::ReadyVersions(const std::string& key) const {
  MutexLock lock(&mu_);
  std::vector<int64_t> versions;
  const auto named = models_.find(key);
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
  for (const auto& [key, generations] : models_) {
    std::map<int64_t, const Entry*> shown;
    for (const auto& entry : generations) {
      const Entry*& best = shown[entry->version];
      const auto rank = [](const Entry& e) {
        return std::make_tuple(e.state == VersionState::kReady, e.generation);
      };
      if (best == nullptr || rank(*best) < rank(*entry)) best = entry.get();
    }
    for (const auto& [version, entry] : shown) {
      index.push_back({key,
                       std::string(NameOf(key, generations)),
                       std::to_string(version),
                       entry->state,
                       entry->reason,
                       {},
                       true});
    }
  }
  std::stable_sort(index.begin(), index.end(),
                   [](const IndexEntry& a, const IndexEntry& b) { return a.name < b.name; });
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

void VersionTable::ForEachReady(
    const std::function<void(Model& model, std::string_view space)>& visit) const {
  std::vector<std::pair<ModelHandle, std::string>> ready;
  {
    MutexLock lock(&mu_);
    for (const auto& [key, generations] : models_) {
      for (const auto& entry : generations) {
        if (entry->state != VersionState::kReady) continue;
        ModelHandle handle = entry->model->Acquire();
        if (!handle) continue;
        ready.emplace_back(std::move(handle),
                           entry->owner == Owner::kFiles ? SpaceOfKey(key) : std::string_view());
      }
    }
  }
  std::sort(ready.begin(), ready.end(), [](const auto& a, const auto& b) {
    return std::make_tuple(std::string_view(a.first->name()), a.first->version(), a.second) <
           std::make_tuple(std::string_view(b.first->name()), b.first->version(), b.second);
  });
  for (const auto& [handle, space] : ready) visit(*handle, space);
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

int64_t VersionTable::InFlight(const std::string& key) const {
  MutexLock lock(&mu_);
  int64_t count = 0;
  const auto named = models_.find(key);
  if (named == models_.end()) return 0;
  for (const auto& entry : named->second) {
    if (entry->model) count += entry->model->users();
  }
  return count;
}

}  // namespace pt::repo
