// The conditions of spec/triton-core 1.5, one row each.
#include "repo/config_check.h"

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "repo/model_directory.h"

namespace pt::repo {
namespace {

using testing::ModelDirectory;

constexpr const char* kTensors = R"(
input { name: "A" data_type: TYPE_FP32 dims: 4 }
output { name: "B" data_type: TYPE_FP32 dims: 4 }
)";

struct Row {
  const char* name;
  std::string config;
  std::string text;  // of the message, up to the mend
};

std::ostream& operator<<(std::ostream& out, const Row& row) { return out << row.name; }

std::string NameOf(const ::testing::TestParamInfo<Row>& row) { return row.param.name; }

// The status of the stage that should refuse, as ToString.
std::string EarlyError(const std::string& config) {
  ModelDirectory model;
  model.WriteConfig(config);
  const auto document = model.Read();
  return document.ok() ? "read without error" : document.status().ToString();
}

std::string LateError(const std::string& config) {
  ModelDirectory model;
  model.WriteConfig(config);
  const auto document = model.Read();
  if (!document.ok()) return "refused early: " + document.status().ToString();
  const auto finished = document->Finish(1);
  return finished.ok() ? "finished without error" : finished.status().ToString();
}

class RefusedEarly : public ::testing::TestWithParam<Row> {};

TEST_P(RefusedEarly, WithTheTextOfTriton) {
  const std::string error = EarlyError(GetParam().config);
  EXPECT_TRUE(error.starts_with("Invalid argument: " + GetParam().text)) << error;
  EXPECT_NE(error.find("config.pbtxt)"), std::string::npos) << error;
}

const std::string kBatching = "backend: 'x' max_batch_size: 8 dynamic_batching ";
const std::string kSequence = "backend: 'x' max_batch_size: 8 sequence_batching ";

std::string Control(const std::string& controls) {
  return kSequence + "{ control_input { name: 'C' " + controls + " } }";
}

INSTANTIATE_TEST_SUITE_P(
    Config, RefusedEarly,
    ::testing::Values(
        Row{"OtherName", "name: 'n' backend: 'x'",
            "unexpected directory name 'm' for model 'n', directory name must equal model name"},
        Row{"NoBackend", "platform: 'p'", "unexpected platform type 'p' for m"},
        Row{"EnsembleWithBackend", "platform: 'ensemble' backend: 'x'",
            "Ensemble model 'm' must have platform type 'ensemble' and empty backend type"},
        Row{"ForeignPlatform", "backend: 'onnxruntime' platform: 'tensorrt_plan'",
            "unexpected 'platform' and 'backend' pair, got:tensorrt_plan, onnxruntime"},
        Row{"NegativeBatch", "backend: 'x' max_batch_size: -1",
            "'max_batch_size' must be non-negative value for m"},
        Row{"PreferredZero", kBatching + "{ preferred_batch_size: 0 }",
            "dynamic batching preferred size must be positive for m"},
        Row{"PreferredAboveMax", kBatching + "{ preferred_batch_size: [ 4, 9 ] }",
            "dynamic batching preferred size must be <= max batch size for m"},
        Row{"PreferredWithoutBatches", "backend: 'x' dynamic_batching { preferred_batch_size: 1 }",
            "dynamic batching preferred size must be <= max batch size for m"},
        Row{"NoDefaultLevel", kBatching + "{ priority_levels: 2 }",
            "default priority level must be in range [1, 2] for m"},
        Row{"DefaultLevelAbove", kBatching + "{ priority_levels: 2 default_priority_level: 3 }",
            "default priority level must be in range [1, 2] for m"},
        Row{"PolicyOfNoLevel",
            kBatching + "{ priority_levels: 1 default_priority_level: 1 "
                        "priority_queue_policy { key: 2 value {} } }",
            "priority queue policy must have priority level in range [1, 1] for m"},
        Row{"OrderAndLevels",
            kBatching + "{ priority_levels: 2 default_priority_level: 1 preserve_ordering: true }",
            "Only one priority level is allowed when 'preserve_ordering' is true for m"},
        Row{"OrderAndDelay",
            kBatching + "{ preserve_ordering: true priority_levels: 1 default_priority_level: 1 "
                        "priority_queue_policy { key: 1 value { timeout_action: DELAY "
                        "default_timeout_microseconds: 5 } } }",
            "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true "
            "for m"},
        Row{"OrderAndDelayByDefault",
            kBatching + "{ preserve_ordering: true default_queue_policy { timeout_action: DELAY "
                        "default_timeout_microseconds: 5 } }",
            "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true "
            "for m"},
        Row{"CacheAndSequence", kSequence + "{} response_cache { enable: true }",
            "Response Cache does not currently support model m with sequence batching scheduler. "
            "Please disable the response cache."},
        Row{"CacheAndDecoupled",
            "backend: 'x' model_transaction_policy { decoupled: true } "
            "response_cache { enable: true }",
            "Response Cache does not currently support model m with 'decoupled' transaction "
            "policy. Please disable the response cache."},
        Row{"ControlWithoutName", kSequence + "{ control_input {} }",
            "sequence batching control tensor must have a name for m"},
        Row{"ControlNameTwice",
            kSequence + "{ control_input { name: 'C' control { int32_false_true: [0, 1] } } "
                        "control_input { name: 'C' control { kind: CONTROL_SEQUENCE_END "
                        "int32_false_true: [0, 1] } } }",
            "sequence batching control tensor 'C' is specified for multiple control kinds for m"},
        Row{"KindTwice",
            kSequence + "{ control_input { name: 'C' control { int32_false_true: [0, 1] } } "
                        "control_input { name: 'D' control { int32_false_true: [0, 1] } } }",
            "sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m"},
        Row{"ControlWithoutValues", Control("control { kind: CONTROL_SEQUENCE_READY }"),
            "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
            "'bool_false_true' for CONTROL_SEQUENCE_READY for m"},
        Row{"ControlWithTwoValues",
            Control("control { int32_false_true: [0, 1] fp32_false_true: [0, 1] }"),
            "sequence batching specifies more than one from 'int32_false_true', "
            "'fp32_false_true' or 'bool_false_true' for CONTROL_SEQUENCE_START for m"},
        Row{"ControlWithThreeEntries", Control("control { bool_false_true: [0, 1, 1] }"),
            "sequence batching control 'bool_false_true' must have exactly 2 entries for "
            "CONTROL_SEQUENCE_START for m"},
        Row{"CorrelationType",
            Control("control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 }"),
            "unexpected data type for control CONTROL_SEQUENCE_CORRID for m. Allowed data types "
            "are TYPE_UINT64, TYPE_INT64, TYPE_UINT32, TYPE_INT32 and TYPE_STRING"},
        Row{"CorrelationWithValues",
            Control("control { kind: CONTROL_SEQUENCE_CORRID int32_false_true: [0, 1] }"),
            "sequence batching must not specify either 'int32_false_true', 'fp32_false_true' or "
            "'bool_false_true' for CONTROL_SEQUENCE_CORRID for m"},
        Row{"OldestPreferredZero", kSequence + "{ oldest { preferred_batch_size: 0 } }",
            "sequence batching preferred batch size must be positive for m"},
        Row{"OldestPreferredAboveMax", kSequence + "{ oldest { preferred_batch_size: 9 } }",
            "sequence batching preferred batch size must be <= max batch size for m"},
        Row{"SlotUtilization", kSequence + "{ direct { minimum_slot_utilization: 1.5 } }",
            "sequence batching minimum slot utilization must be in range (0.0, 1.0] for m"},
        Row{"EnsembleWithoutSteps", "platform: 'ensemble'",
            "ensemble scheduling must be set for ensemble m whose platform is ensemble"},
        Row{"StepsWithoutEnsemble", "backend: 'x' platform: 'p' ensemble_scheduling {}",
            "ensemble scheduling cannot be set for model 'm' whose platform is not ensemble"},
        Row{"EnsembleWithInstances",
            "platform: 'ensemble' ensemble_scheduling {} instance_group {}",
            "instance group should not be specified for ensemble 'm'"},
        Row{"EnsembleWithOptimization",
            "platform: 'ensemble' ensemble_scheduling {} optimization {}",
            "optimization should not be specified for ensemble 'm'"},
        Row{"EnsembleWithWarmUp", "platform: 'ensemble' ensemble_scheduling {} model_warmup {}",
            "model_warmup can not be specified for ensemble 'm'"},
        Row{"MetricWithoutIdentifier", "backend: 'x' model_metrics { metric_control {} }",
            "metric control must specify 'metric_identifier' for m"},
        Row{"MetricWithoutFamily",
            "backend: 'x' model_metrics { metric_control { metric_identifier {} } }",
            "metric identifier must specify non-empty 'family' for m"},
        Row{"MetricWithoutOptions",
            "backend: 'x' model_metrics { metric_control { metric_identifier { family: 'f' } } }",
            "metric control must specify 'histogram_options' for m"},
        Row{"MetricWithoutBuckets",
            "backend: 'x' model_metrics { metric_control { metric_identifier { family: 'f' } "
            "histogram_options {} } }",
            "histogram options must specify non-empty 'buckets' for m"}),
    NameOf);

class RefusedLate : public ::testing::TestWithParam<Row> {};

TEST_P(RefusedLate, WithTheTextOfTriton) {
  const std::string error = LateError("backend: 'x' " + GetParam().config);
  EXPECT_TRUE(error.starts_with("Invalid argument: " + GetParam().text)) << error;
  EXPECT_NE(error.find("config.pbtxt)"), std::string::npos) << error;
}

std::string Input(const std::string& more, const std::string& dims = "dims: [ 2, 2 ]") {
  return "input { name: 'I' data_type: TYPE_FP32 " + dims + " " + more + " }";
}

std::string Groups(const std::string& group) {
  return std::string(kTensors) + "instance_group { " + group + " }";
}

INSTANTIATE_TEST_SUITE_P(
    Config, RefusedLate,
    ::testing::Values(
        Row{"InputWithoutName", "input {}", "model input must specify 'name' for m"},
        Row{"InputWithoutType", "input { name: 'I' dims: 1 }",
            "model input 'I' must specify 'data_type' for m"},
        Row{"InputWithoutDims", "input { name: 'I' data_type: TYPE_FP32 }",
            "model input 'I' must specify 'dims' for m"},
        Row{"OutputWithoutName", "output {}", "model output must specify 'name' for m"},
        Row{"OutputWithoutType", "output { name: 'O' }",
            "model output 'O' must specify 'data_type' for m"},
        Row{"OutputWithoutDims", "output { name: 'O' data_type: TYPE_FP32 }",
            "model output 'O' must specify 'dims' for m"},
        Row{"DimZero", Input("", "dims: 0"),
            "model input 'I' dimension must be integer >= 1, or -1 to indicate a variable-size "
            "dimension for m"},
        Row{"DimNegative", Input("", "dims: -2"),
            "model input 'I' dimension must be integer >= 1, or -1 to indicate a variable-size "
            "dimension for m"},
        Row{"TooManyDims",
            Input("",
                  "dims: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                  "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
            "model input 'I' must have at most 63 dims for m"},
        Row{"EmptyReshape", Input("reshape {}", "dims: 1"),
            "model input 'I' cannot have empty reshape for non-batching model as scalar tensors "
            "are not supported for m"},
        Row{"ReshapeZero", Input("reshape { shape: 0 }"),
            "model input 'I' reshape dimensions must be integer >= 1, or -1 to indicate a "
            "variable-size dimension for m"},
        Row{"ReshapeSize", Input("reshape { shape: 5 }"),
            "model input 'I' has different size for dims and reshape for m"},
        Row{"ReshapeWildcards", Input("reshape { shape: [ -1, -1 ] }", "dims: [ -1, 2 ]"),
            "model input 'I' has different number of variable-size dimensions for dims and "
            "reshape for m"},
        Row{"ReshapeBetweenWildcards",
            Input("reshape { shape: [ 4, -1, -1 ] }", "dims: [ 2, -1, 2, -1 ]"),
            "model input 'I' has different size for dims and reshape for m"},
        Row{"ReshapeOverflow", Input("reshape { shape: 1 }", "dims: [ 4294967296, 4294967296, 1 ]"),
            "model input 'I' has different size for dims and reshape for m"},
        Row{"FormatDims", Input("format: FORMAT_NHWC"),
            "model input NHWC/NCHW require 3 dims for m"},
        Row{"ShapeTensor", Input("is_shape_tensor: true"),
            "shape tensors are only supported for TensorRT platform for m"},
        Row{"NonLinear", Input("is_non_linear_format_io: true"),
            "Non-linear IO format is only supported for the TensorRT platform for "
            "m"},
        Row{"InputTwice", Input("") + Input(""),
            "model input 'I' is specified more than once for m"},
        Row{"OutputTwice",
            std::string(kTensors) + "output { name: 'B' data_type: TYPE_FP32 dims: 1 }",
            "model output 'B' is specified more than once for m"},
        Row{"BatchInputSources",
            std::string(kTensors) + "batch_input { data_type: TYPE_INT32 target_name: 'X' }",
            "batch input kind 'BATCH_ELEMENT_COUNT' expects 1 source input, got 0 for m"},
        Row{"BatchInputType",
            std::string(kTensors) + "batch_input { data_type: TYPE_INT8 source_input: 'A' }",
            "batch input data type must be TYPE_INT32 or TYPE_FP32 for m"},
        Row{"BatchInputSource",
            std::string(kTensors) + "batch_input { data_type: TYPE_INT32 source_input: 'Z' }",
            "unknown source input name 'Z' for m"},
        Row{"BatchOutputTarget",
            std::string(kTensors) + "batch_output { source_input: 'A' target_name: 'Z' }",
            "unknown target output name 'Z' for m"},
        Row{"BatchOutputTwice",
            std::string(kTensors) + "batch_output { source_input: 'A' target_name: ['B', 'B'] }",
            "target output name 'B' can only be specified once for m"},
        Row{"CpuWithGpus", Groups("kind: KIND_CPU gpus: 0"),
            "instance group m_0 of model m has kind KIND_CPU but specifies one or more GPUs"},
        Row{"ModelWithGpus", Groups("kind: KIND_MODEL gpus: 0"),
            "instance group m_0 of model m has kind KIND_MODEL but specifies one or more GPUs"},
        Row{"NoGpu", Groups("name: 'g' kind: KIND_GPU"),
            "instance group g of model m has kind KIND_GPU but no GPUs are available"},
        Row{"UnknownGpu", Groups("kind: KIND_GPU gpus: 7"),
            "instance group m_0 of model m specifies invalid or unsupported gpu id 7. GPUs with "
            "at least the minimum required CUDA compute compatibility of 6.000000 are: "},
        Row{"Profile", Groups("kind: KIND_CPU profile: 'p'"),
            "instance group m_0 of model m and platform specifies profile field which is only "
            "supported for "
            "TensorRT models"},
        Row{"OnlyPassive", Groups("kind: KIND_CPU passive: true"),
            "at least one instance group must not be passive for m"},
        Row{"TooManyInstances", Groups("count: 2000000000"),
            "instance group m_0 of model m makes more than 1024 instances"}),
    NameOf);

TEST(Runtime, ThatIsNoBackendsIsNotFound) {
  const std::string error =
      LateError(std::string(kTensors) + "backend: 'x' runtime: '../../other.so'");
  EXPECT_TRUE(error.starts_with(
      "Invalid argument: unable to find backend library '../../other.so' for model 'm'"))
      << error;
}

TEST(Platform, OfAnotherBackendDoesNotNameTheFile) {
  ModelDirectory model;
  model.WriteConfig("backend: 'python' platform: 'tensorrt_plan'");
  const auto document = model.Read();
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_EQ(document->model_file(), "model.py");
  EXPECT_EQ(document->platform(), "tensorrt_plan");
}

TEST(Support, IsKnownBeforeTheBackendIsAsked) {
  ModelDirectory model;
  model.WriteConfig(std::string(kTensors) + "platform: 'ensemble' ensemble_scheduling { step {} }");
  const auto document = model.Read();
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_TRUE(document->CheckSupport().ToString().starts_with(
      "Unsupported: this server does not support ensemble_scheduling yet"));
}

class NotDoneHere : public ::testing::TestWithParam<Row> {};

TEST_P(NotDoneHere, IsALoadErrorThatSaysSo) {
  const std::string error = LateError(kTensors + GetParam().config);
  EXPECT_TRUE(error.starts_with("Unsupported: this server does not support " + GetParam().text +
                                " yet, asked for by model 'm': "))
      << error;
}

INSTANTIATE_TEST_SUITE_P(
    Config, NotDoneHere,
    ::testing::Values(
        Row{"Sequences", "backend: 'x' sequence_batching {}", "sequence_batching"},
        Row{"Ensembles", "platform: 'ensemble' ensemble_scheduling { step {} }",
            "ensemble_scheduling"},
        Row{"Agents", "backend: 'x' model_repository_agents { agents { name: 'a' } }",
            "model_repository_agents"},
        Row{"BatchStrategy",
            "backend: 'x' parameters { key: 'TRITON_BATCH_STRATEGY_PATH' value {} }",
            "custom batching libraries"},
        Row{"BatchInputs",
            "backend: 'x' batch_input { data_type: TYPE_INT32 target_name: 'X' source_input: 'A' }",
            "batch_input and batch_output"},
        Row{"BatchOutputs", "backend: 'x' batch_output { target_name: 'B' source_input: 'A' }",
            "batch_input and batch_output"}),
    NameOf);

class Accepted : public ::testing::TestWithParam<Row> {};

TEST_P(Accepted, Loads) {
  EXPECT_EQ(LateError(kTensors + GetParam().config), "finished without error");
}

INSTANTIATE_TEST_SUITE_P(
    Config, Accepted,
    ::testing::Values(
        Row{"DynamicWithoutBatches", "backend: 'x' dynamic_batching {}", ""},
        Row{"PythonOnAnyPlatform", "backend: 'python' platform: 'p'", ""},
        Row{"LibtorchAlias", "backend: 'pytorch' platform: 'libtorch'", ""},
        Row{"PassiveBesideActive",
            "backend: 'x' instance_group [ { passive: true }, { count: 2 } ]", ""},
        Row{"Hints",
            "backend: 'x' optimization { priority: PRIORITY_MAX cuda { graphs: true } "
            "eager_batching: true } instance_group { rate_limiter { priority: 2 "
            "resources { name: 'R' count: 4 } } host_policy: 'p' }",
            ""},
        Row{"OrderAndDelayWithoutTimeout",
            "backend: 'x' dynamic_batching { preserve_ordering: true priority_levels: 1 "
            "default_priority_level: 1 default_queue_policy { timeout_action: DELAY } "
            "priority_queue_policy { key: 1 value { timeout_action: DELAY } } }",
            ""},
        Row{"OwnRuntime", "backend: 'x' runtime: 'libtriton_x.so'", ""},
        Row{"BatchInputsOfPython",
            "backend: 'python' batch_input { data_type: TYPE_INT32 target_name: 'X' "
            "source_input: 'A' }",
            ""},
        Row{"CountBelowOne", "backend: 'x' instance_group { count: -3 }", ""}),
    NameOf);

}  // namespace
}  // namespace pt::repo
