#include "api/access.h"

#include <algorithm>

namespace pt::api {
namespace {

// In the order of ApiGroup.
constexpr std::array<std::string_view, kApiGroups> kGroupNames = {"",
                                                                  "health",
                                                                  "metadata",
                                                                  "inference",
                                                                  "shared-memory",
                                                                  "model-config",
                                                                  "model-repository",
                                                                  "statistics",
                                                                  "trace",
                                                                  "logging"};

constexpr std::string_view kGrpcPrefix = "triton-grpc-protocol-";

// Words in which the two protocols differ.
struct Wording {
  std::string_view option;
  std::string_view noun;
  std::string_view refusal;
};
constexpr Wording kHttpWording{"http-restricted-api", "api", "This API is restricted"};
constexpr Wording kGrpcWording{"grpc-restricted-protocol", "protocol",
                               "This protocol is restricted"};

const Wording& WordingOf(AccessProtocol protocol) {
  return protocol == AccessProtocol::kHttp ? kHttpWording : kGrpcWording;
}

// Takes as long for a value that differs in its first byte as for one that differs in its last.
bool IsSameSecret(std::string_view given, std::string_view expected) {
  unsigned difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const auto other = static_cast<unsigned char>(expected[i % expected.size()]);
    difference |= static_cast<unsigned char>(given[i]) ^ other;
  }
  return difference == 0;
}

}  // namespace

Result<AccessRules> AccessRules::Parse(AccessProtocol protocol,
                                       std::span<const std::string> values) {
  AccessRules rules;
  rules.protocol_ = protocol;
  for (const std::string& value : values) {
    if (!value.empty()) PT_RETURN_IF_ERROR(rules.Add(value));
  }
  return rules;
}

Status AccessRules::Add(std::string_view value) {
  const Wording& wording = WordingOf(protocol_);
  const size_t colon = value.find(':');
  const size_t equals = colon == std::string_view::npos ? colon : value.find('=', colon);
  if (equals == std::string_view::npos || equals == colon + 1 || equals + 1 == value.size()) {
    return InvalidArgument("--" + std::string(wording.option) +
                           " option format is '<config name>:<setting>=<value>'. Got " +
                           std::string(value));
  }
  Key key;
  if (protocol_ == AccessProtocol::kGrpc) key.header = kGrpcPrefix;
  key.header += value.substr(colon + 1, equals - colon - 1);
  key.value = value.substr(equals + 1);
  std::string_view names = value.substr(0, colon);
  while (true) {
    const size_t comma = std::min(names.find(','), names.size());
    const std::string name(names.substr(0, comma));
    const auto* const found = std::find(kGroupNames.begin() + 1, kGroupNames.end(), name);
    const std::string described = "restricted " + std::string(wording.noun) + " '" + name + "' ";
    if (found == kGroupNames.end()) return InvalidArgument("unknown " + described);
    Key& slot = keys_[static_cast<size_t>(found - kGroupNames.begin())];
    if (!slot.header.empty()) {
      return InvalidArgument(described + "can not be specified in multiple config groups");
    }
    slot = key;
    if (comma == names.size()) return {};
    names.remove_prefix(comma + 1);
  }
}

std::string AccessRules::Check(ApiGroup group, const HttpRequestHead* head) const {
  const Key& key = keys_[static_cast<size_t>(group)];
  if (head != nullptr && IsSameSecret(head->Find(key.header), key.value)) return {};
  return std::string(WordingOf(protocol_).refusal) + ", expecting header '" + key.header + "'";
}

}  // namespace pt::api
