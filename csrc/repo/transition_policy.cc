#include "repo/transition_policy.h"

#include <algorithm>

namespace pt::repo {
namespace {

bool Has(const std::vector<int64_t>& versions, int64_t version) {
  return std::binary_search(versions.begin(), versions.end(), version);
}

uint64_t HashOf(const Fingerprint& fingerprint, int64_t version) {
  const auto at = fingerprint.versions.find(version);
  return at == fingerprint.versions.end() ? 0 : at->second;
}

}  // namespace

VersionPlan PlanVersions(const VersionsServed& served, const VersionsFound& found) {
  VersionPlan plan;
  const bool all_change =
      found.is_config_changed || found.fingerprint.shared != served.fingerprint.shared;
  for (const int64_t version : found.versions) {
    const bool is_same = HashOf(found.fingerprint, version) == HashOf(served.fingerprint, version);
    const bool stays = Has(served.versions, version) && is_same && !all_change;
    (stays ? plan.keep : plan.load).push_back(version);
  }
  for (const int64_t version : served.versions) {
    if (!Has(found.versions, version)) plan.retire.push_back(version);
  }
  return plan;
}

}  // namespace pt::repo
