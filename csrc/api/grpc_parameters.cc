#include "api/grpc_parameters.h"

#include <algorithm>
#include <limits>
#include <string>

namespace pt::api {
namespace {

using wire::ParameterKind;
using wire::ParameterView;

constexpr std::string_view kReservedPrefix = "triton_";
constexpr std::string_view kEmptyFinal = "triton_enable_empty_final_response";

Status WrongType(std::string_view key, std::string_view expected) {
  return InvalidArgument("invalid value type for '" + std::string(key) + "' parameter, expected " +
                         std::string(expected) + ".");
}

Status Require(const ParameterView& parameter, ParameterKind kind, std::string_view expected) {
  return parameter.kind == kind ? Status() : WrongType(parameter.key, expected);
}

Status ApplyPriority(const ParameterView& parameter, InferRequest* request) {
  if (parameter.kind != ParameterKind::kInt64 && parameter.kind != ParameterKind::kUint64) {
    return WrongType(parameter.key, "int64_param or uint64_param");
  }
  if (parameter.kind == ParameterKind::kInt64 && parameter.AsInt64() < 0) {
    return InvalidArgument("invalid value for 'priority', expected value >= 0.");
  }
  // Above all levels means the default level, as 0 does.
  const uint64_t level = parameter.AsUint64();
  request->priority =
      level > std::numeric_limits<uint32_t>::max() ? 0 : static_cast<uint32_t>(level);
  return {};
}

Status AddCustom(const ParameterView& parameter, InferRequest* request) {
  switch (parameter.kind) {
    case ParameterKind::kBool:
      request->parameters.emplace_back(parameter.key, parameter.AsBool());
      return {};
    case ParameterKind::kInt64:
      request->parameters.emplace_back(parameter.key, parameter.AsInt64());
      return {};
    case ParameterKind::kDouble:
      request->parameters.emplace_back(parameter.key, parameter.AsDouble());
      return {};
    case ParameterKind::kString:
      request->parameters.emplace_back(parameter.key, std::string(parameter.text));
      return {};
    default:
      return WrongType(parameter.key, "int64_param, bool_param, or string_param");
  }
}

Status ApplyOne(const ParameterView& parameter, InferRequest* request, bool* wants_empty_final) {
  const std::string_view key = parameter.key;
  if (key == "sequence_id") {
    if (parameter.kind == ParameterKind::kString) {
      request->correlation_id = std::string(parameter.text);
    } else if (parameter.kind == ParameterKind::kInt64) {
      request->correlation_id = parameter.AsUint64();
    } else {
      return WrongType(key, "int64_param or string_param");
    }
    return {};
  }
  if (key == "sequence_start" || key == "sequence_end") {
    if (parameter.AsBool()) {
      request->sequence_flags |= key == "sequence_start" ? kSequenceStart : kSequenceEnd;
    }
    return Require(parameter, ParameterKind::kBool, "bool_param");
  }
  if (key == "priority") return ApplyPriority(parameter, request);
  if (key == "timeout") {
    request->timeout_us = parameter.AsUint64();
    return Require(parameter, ParameterKind::kInt64, "int64_param");
  }
  if (key == kEmptyFinal) {
    *wants_empty_final = parameter.AsBool();
    return Require(parameter, ParameterKind::kBool, "bool_param");
  }
  if (key.substr(0, kReservedPrefix.size()) == kReservedPrefix) {
    return InvalidArgument(
        "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following "
        "keys starting with 'triton_' are allowed: triton_enable_empty_final_response");
  }
  return AddCustom(parameter, request);
}

// The last parameter of that name, null when there is none.
const ParameterView* FindLast(std::span<const ParameterView> parameters, std::string_view key) {
  const auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                                  [&](const ParameterView& p) { return p.key == key; });
  return found == parameters.rend() ? nullptr : &*found;
}

// A parameter that is a number of bytes; 0 when there is none.
Result<uint64_t> CountOf(std::span<const ParameterView> parameters, std::string_view key) {
  const ParameterView* count = FindLast(parameters, key);
  if (count == nullptr) return uint64_t{0};
  if (count->kind == ParameterKind::kUint64) return count->AsUint64();
  PT_RETURN_IF_ERROR(Require(*count, ParameterKind::kInt64, "int64_param"));
  if (count->AsInt64() < 0) {
    return InvalidArgument("invalid value for '" + std::string(key) +
                           "' parameter, expected >= 0, got " + std::to_string(count->AsInt64()));
  }
  return count->AsUint64();
}

}  // namespace

Status ApplyRequestParameters(std::span<const ParameterView> parameters, InferRequest* request,
                              bool* wants_empty_final) {
  for (const ParameterView& parameter : parameters) {
    PT_RETURN_IF_ERROR(ApplyOne(parameter, request, wants_empty_final));
  }
  if (request->parameters.size() < 2) return {};
  // A map has each key once: of entries with the same key the last one counts.
  Parameters& all = request->parameters;
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto kept = std::unique(all.rbegin(), all.rend(),
                                [](const auto& a, const auto& b) { return a.first == b.first; });
  all.erase(all.begin(), kept.base());
  return {};
}

Result<RegionWish> RegionOf(std::span<const ParameterView> parameters) {
  RegionWish wish;
  const ParameterView* region = FindLast(parameters, "shared_memory_region");
  if (region == nullptr) return wish;
  PT_RETURN_IF_ERROR(Require(*region, ParameterKind::kString, "string_param"));
  wish.region = region->text;
  wish.is_given = !region->text.empty();
  PT_ASSIGN_OR_RETURN(wish.offset, CountOf(parameters, "shared_memory_offset"));
  PT_ASSIGN_OR_RETURN(wish.byte_size, CountOf(parameters, "shared_memory_byte_size"));
  return wish;
}

Result<uint32_t> ClassesOf(std::span<const ParameterView> parameters) {
  const ParameterView* classes = FindLast(parameters, "classification");
  if (classes == nullptr) return 0u;
  PT_RETURN_IF_ERROR(Require(*classes, ParameterKind::kInt64, "int64_param"));
  if (classes->AsInt64() <= 0) {
    return InvalidArgument("invalid value for 'classification' parameter, expected >= 0");
  }
  return static_cast<uint32_t>(
      std::min<int64_t>(classes->AsInt64(), std::numeric_limits<uint32_t>::max()));
}

}  // namespace pt::api
