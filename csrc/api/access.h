// AccessRules: which groups of APIs ask for a header with a secret value
// (spec/triton-frontend 1.14 and 3.6). A group is a column of the tables of routes and methods.
//
// Thread rule: immutable once parsed. Owner rule: a value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/http_call.h"
#include "base/status.h"

namespace pt::api {

enum class ApiGroup : uint8_t {
  kOpen,  // can't be restricted
  kHealth,
  kMetadata,
  kInference,
  kSharedMemory,
  kModelConfig,
  kModelRepository,
  kStatistics,
  kTrace,
  kLogging,
};
inline constexpr size_t kApiGroups = 10;

enum class AccessProtocol { kHttp, kGrpc };

class AccessRules {
 public:
  // Everybody may call everything.
  AccessRules() = default;

  // From option values "GROUP[,GROUP...]:KEY=VALUE"; an empty value says nothing. Over gRPC the
  // metadata key is "triton-grpc-protocol-KEY". Errors: InvalidArgument for another form, an
  // unknown group, or one that is named twice.
  static Result<AccessRules> Parse(AccessProtocol protocol, std::span<const std::string> values);

  // Why a call of that group with these headers is refused; empty: it is not. The comparison takes
  // the same time wherever the values differ. `head` may be null: no headers.
  std::string Refusal(ApiGroup group, const HttpRequestHead* head) const {
    return keys_[static_cast<size_t>(group)].header.empty() ? std::string() : Check(group, head);
  }

 private:
  struct Key {
    std::string header;  // empty: not restricted
    std::string value;
  };

  std::string Check(ApiGroup group, const HttpRequestHead* head) const;
  Status Add(std::string_view value);

  AccessProtocol protocol_ = AccessProtocol::kHttp;
  std::array<Key, kApiGroups> keys_;
};

}  // namespace pt::api
