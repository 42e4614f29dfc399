// ModelConfig: what a model takes, gives and how it is scheduled. Plain data; whoever makes one
// (bind, config.pbtxt) has checked it.
//
// Thread rule: immutable once a Model holds it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace pt {

struct TensorSpec {
  std::string name;
  DataType type = DataType::kInvalid;
  Shape dims;                       // without the batch dimension; -1: any
  bool is_optional = false;         // inputs only
  bool allows_ragged = false;       // inputs only
  std::vector<std::string> labels;  // outputs only: classification labels by index
  int device = -1;                  // inputs only: whose memory the bytes go to; -1: the host's
  std::optional<Shape> reshape;     // what the backend sees instead of dims
};

enum class TimeoutAction { kReject, kDelay };

struct QueuePolicy {
  TimeoutAction timeout_action = TimeoutAction::kReject;
  uint64_t default_timeout_us = 0;  // 0: none
  bool allow_timeout_override = false;
  uint32_t max_queue_size = 0;  // requests; 0: unbounded
};

struct DynamicBatching {
  std::vector<int32_t> preferred_batch_sizes;
  uint64_t max_queue_delay_us = 0;
  bool preserve_ordering = false;
  uint32_t priority_levels = 0;  // 0: no priorities
  uint32_t default_priority_level = 0;
  QueuePolicy default_queue_policy;
  std::map<uint32_t, QueuePolicy> priority_queue_policies;
};

enum class SchedulerKind { kDirect, kDynamic };

enum class InstanceKind { kAuto, kCpu, kGpu, kModel };

struct InstanceGroup {
  std::string name;
  InstanceKind kind = InstanceKind::kCpu;
  int count = 1;
  std::vector<int> gpus;

  friend bool operator==(const InstanceGroup&, const InstanceGroup&) = default;
};

struct ModelConfig {
  std::string name;
  int64_t version = 1;
  std::string platform;
  std::string backend;
  int64_t max_batch_size = 0;  // 0: no batch dimension
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  SchedulerKind scheduler = SchedulerKind::kDirect;
  DynamicBatching dynamic_batching;  // when scheduler == kDynamic
  std::vector<InstanceGroup> instance_groups;
  bool is_decoupled = false;
  bool response_cache = false;
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::string> metric_tags;  // labels on this model's metrics
  // The complete configuration of a model that comes from a repository, with everything that the
  // fields above leave out: inference.ModelConfig as protobuf bytes, and as Triton's JSON. Empty
  // for a bound model.
  std::string document_proto;
  std::string document_json;

  int FindInput(std::string_view input) const;    // -1: no such input
  int FindOutput(std::string_view output) const;  // -1: no such output
  int instance_count() const;
};

}  // namespace pt
