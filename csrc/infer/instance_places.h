// InstancePlaces: where a model's instances belong: each has a name, a kind and a device, which
// follow from the instance groups of its configuration. InstanceRoster keeps who has which place
// while groups change under a model that serves.
//
// Thread rule: values; an InstanceRoster belongs to whoever guards it. Owner rule: none.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "infer/backend.h"
#include "infer/model_config.h"

namespace pt {

struct InstancePlace {
  std::string name;  // the group's (the model's when it has none) and the number there: "x_0_1"
  InstanceKind kind = InstanceKind::kCpu;
  int device = 0;  // 0 on the host, as Triton has it
};

// In the order of their numbers. Never empty: a model without groups has one instance. A group on
// GPUs has its count on each of them; the instances of one number share its name.
std::vector<InstancePlace> PlacesOf(const ModelConfig& config);

class InstanceRoster {
 public:
  // Instances 0, 1, ... have the places of `config`.
  explicit InstanceRoster(const ModelConfig& config);

  // What has to come and go for the places to be those of `next`. Who has a place of the same kind
  // and device stays, whatever it is called; who has the same name as well comes first. The added
  // ones are on the roster from now on, under numbers that nobody had; the removed ones until they
  // are forgotten, but no plan counts on those that are leaving.
  InstanceChange Plan(const ModelConfig& next);
  void Leave(int ordinal) { leaving_.insert(ordinal); }
  void Forget(int ordinal);
  // Null: nobody has that number.
  const InstancePlace* Find(int ordinal) const;
  const std::map<int, InstancePlace>& places() const { return places_; }

 private:
  std::map<int, InstancePlace> places_;
  std::set<int> leaving_;
  int next_ordinal_ = 0;
};

}  // namespace pt
