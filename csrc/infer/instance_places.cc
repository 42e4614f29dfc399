#include "infer/instance_places.h"

#include <algorithm>
#include <utility>

namespace pt {
namespace {

bool IsAlike(const InstancePlace& a, const InstancePlace& b) {
  return a.kind == b.kind && a.device == b.device;
}

}  // namespace

std::vector<InstancePlace> PlacesOf(const ModelConfig& config) {
  std::vector<InstancePlace> places;
  for (const InstanceGroup& group : config.instance_groups) {
    const std::string& name = group.name.empty() ? config.name : group.name;
    const std::vector<int> devices = group.gpus.empty() ? std::vector<int>{0} : group.gpus;
    for (int number = 0; number < std::max(1, group.count); ++number) {
      for (const int device : devices) {
        places.push_back({name + "_" + std::to_string(number), group.kind, device});
      }
    }
  }
  if (places.empty()) places.push_back({config.name + "_0", InstanceKind::kCpu, 0});
  return places;
}

InstanceRoster::InstanceRoster(const ModelConfig& config) {
  for (InstancePlace& place : PlacesOf(config)) places_[next_ordinal_++] = std::move(place);
}

const InstancePlace* InstanceRoster::Find(int ordinal) const {
  const auto at = places_.find(ordinal);
  return at == places_.end() ? nullptr : &at->second;
}

void InstanceRoster::Forget(int ordinal) {
  places_.erase(ordinal);
  leaving_.erase(ordinal);
}

InstanceChange InstanceRoster::Plan(const ModelConfig& next) {
  std::vector<InstancePlace> wanted = PlacesOf(next);
  std::map<int, const InstancePlace*> free;
  for (const auto& [ordinal, place] : places_) {
    if (!leaving_.contains(ordinal)) free[ordinal] = &place;
  }
  for (const bool by_name : {true, false}) {
    std::erase_if(wanted, [&](const InstancePlace& place) {
      const auto at = std::find_if(free.begin(), free.end(), [&](const auto& one) {
        return IsAlike(*one.second, place) && (!by_name || one.second->name == place.name);
      });
      if (at == free.end()) return false;
      free.erase(at);
      return true;
    });
  }
  InstanceChange change;
  for (const auto& [ordinal, place] : free) change.removed.push_back(ordinal);
  for (InstancePlace& place : wanted) {
    change.added.push_back(next_ordinal_);
    places_[next_ordinal_++] = std::move(place);
  }
  return change;
}

}  // namespace pt
