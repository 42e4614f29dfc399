#include "repo/config_document.h"

#include <gtest/gtest.h>

#include "repo/model_directory.h"

namespace pt::repo {
namespace {

using testing::ModelDirectory;

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kAddSub = R"(
backend: "python"
max_batch_size: 8
input [ { name: "A" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]
input { name: "B" data_type: TYPE_STRING dims: 1 optional: true }
output [ { name: "C" data_type: TYPE_BF16 dims: [ 4 ] label_filename: "labels.txt" } ]
dynamic_batching { max_queue_delay_microseconds: 100 }
parameters { key: "k" value { string_value: "v" } }
)";

TEST(ConfigDocument, MakesAModelOfAFile) {
  ModelDirectory model;
  model.WriteConfig(kAddSub).Write("labels.txt", "cat\ndog\r\n").Write("1/model.py", "");
  const auto document = model.Read();
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_EQ(document->name(), "m");
  EXPECT_EQ(document->source(), model.path_of("config.pbtxt"));
  const auto config = document->Finish(3);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->name, "m");
  EXPECT_EQ(config->version, 3);
  EXPECT_EQ(config->backend, "python");
  EXPECT_EQ(config->max_batch_size, 8);
  ASSERT_EQ(config->inputs.size(), 2u);
  EXPECT_EQ(config->inputs[0].dims, (Shape{-1, 4}));
  EXPECT_EQ(config->inputs[1].type, DataType::kBytes);
  EXPECT_TRUE(config->inputs[1].is_optional);
  ASSERT_EQ(config->outputs.size(), 1u);
  EXPECT_EQ(config->outputs[0].type, DataType::kBf16);
  EXPECT_EQ(config->outputs[0].labels, (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(config->scheduler, SchedulerKind::kDynamic);
  EXPECT_EQ(config->dynamic_batching.max_queue_delay_us, 100u);
  EXPECT_EQ(config->dynamic_batching.preferred_batch_sizes, std::vector<int32_t>{8});
  EXPECT_EQ(config->parameters.at("k"), "v");
  EXPECT_EQ(config->instance_count(), 1);
  EXPECT_TRUE(Contains(config->document_json, R"("default_model_filename":"model.py")"));
  EXPECT_FALSE(config->document_proto.empty());
}

TEST(ConfigDocument, TakesOverWhatABackendMaySet) {
  ModelDirectory model;
  model.Write("1/model.py", "");
  auto document = model.Read();
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  ASSERT_TRUE(document
                  ->Complete(R"({"name": "m", "max_batch_size": 4, "dynamic_batching": {},
      "input": [{"name": "A", "data_type": "TYPE_FP32", "dims": [-1]}],
      "output": [{"name": "B", "data_type": "TYPE_FP32", "dims": [2]}],
      "model_transaction_policy": {"decoupled": true}, "parameters": {"x": {"string_value": "y"}}})")
                  .ok());
  const auto config = document->Finish(1);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  EXPECT_EQ(config->max_batch_size, 4);
  EXPECT_EQ(config->inputs.size(), 1u);
  EXPECT_EQ(config->outputs.size(), 1u);
  EXPECT_TRUE(config->is_decoupled);
  EXPECT_EQ(config->dynamic_batching.preferred_batch_sizes, std::vector<int32_t>{4});
  EXPECT_TRUE(config->parameters.empty());
}

TEST(ConfigDocument, FindsTheBackendInTheFiles) {
  const struct {
    std::string file;
    std::string config;
    std::string found;  // backend, platform, default file
  } rows[] = {
      {"1/model.py", "", "python, , model.py"},
      {"1/model.onnx", "", "onnxruntime, onnxruntime_onnx, model.onnx"},
      {"1/model.xml", "", "openvino, , model.xml"},
      {"1/model.pt", "", "pytorch, pytorch_libtorch, model.pt"},
      {"1/model.pt2", "", "pytorch, torch_aoti, model.pt2"},
      {"1/model.plan", "", "tensorrt, tensorrt_plan, model.plan"},
      {"1/model.savedmodel/saved_model.pb", "",
       "tensorflow, tensorflow_savedmodel, "
       "model.savedmodel"},
      {"7/model.py", "max_batch_size: 1", "python, , model.py"},
      {"1/model.pt2", "backend: 'pytorch'", "pytorch, torch_aoti, model.pt2"},
      {"1/x", "backend: 'onnxruntime'", "onnxruntime, onnxruntime_onnx, model.onnx"},
      {"1/x", "platform: 'onnxruntime_onnx'", "onnxruntime, onnxruntime_onnx, model.onnx"},
      {"1/x", "platform: 'libtorch'", "pytorch, libtorch, model.pt"},
      {"1/x", "backend: 'python' platform: 'p'", "python, p, model.py"},
      {"1/x", "backend: 'mine'", "mine, , "},
      {"1/x", "backend: 'python' default_model_filename: 'm.py'", "python, , m.py"},
      // Names that are no version don't count.
      {"01/model.onnx", "", "none"},
      {"1_tmp/model.onnx", "", "none"},
      {".git/model.onnx", "", "none"},
      {"99999999999999999999/model.onnx", "", "none"},
  };
  for (const auto& row : rows) {
    ModelDirectory model;
    model.Write(row.file, "").WriteConfig(row.config);
    const auto document = model.Read();
    if (!document.ok()) {
      EXPECT_EQ(row.found, "none") << document.status().ToString();
      EXPECT_TRUE(Contains(document.status().message(), "Could not determine backend"));
      continue;
    }
    const std::string json = document->ToJson();
    const std::string key = "\"default_model_filename\":\"";
    const size_t at = json.find(key) + key.size();
    EXPECT_EQ(document->backend() + ", " + document->platform() + ", " +
                  json.substr(at, json.find('"', at) - at),
              row.found)
        << row.file << " " << row.config;
  }
}

TEST(ConfigDocument, FindsTheBackendInTheName) {
  const ModelDirectory model("net.mine");
  const auto document = model.Read();
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_EQ(document->backend(), "mine");
  EXPECT_TRUE(Contains(document->ToJson(), R"("default_model_filename":"model.mine")"));
  const ModelDirectory nameless("net.");
  EXPECT_EQ(nameless.Read().status().message(),
            "Invalid model name: Could not determine backend for model 'net.' with no backend in "
            "model configuration. Expected model name of the form 'model.<backend_name>'.");
}

TEST(VersionName, IsANumberWithoutAnythingElse) {
  EXPECT_EQ(ParseVersionName("0"), 0);
  EXPECT_EQ(ParseVersionName("10"), 10);
  EXPECT_EQ(ParseVersionName("9223372036854775807"), INT64_MAX);
  for (const char* name : {"", "01", "00", "-1", "+3", "1_tmp", "1abc", " 1", "1 ", "1.5", "warmup",
                           "9223372036854775808", "20261123000000000000"}) {
    EXPECT_EQ(ParseVersionName(name), std::nullopt) << name;
  }
}

TEST(VersionPolicy, ChoosesVersions) {
  using Versions = std::vector<int64_t>;
  const Versions there = {1, 3, 7};
  const auto policy_of = [](const std::string& text) {
    ModelDirectory model;
    return model.WriteConfig("backend: 'x' " + text).Read()->version_policy();
  };
  EXPECT_EQ(policy_of("").Select(there), Versions{7});
  EXPECT_EQ(policy_of("version_policy { latest { num_versions: 2 } }").Select(there),
            (Versions{3, 7}));
  EXPECT_EQ(policy_of("version_policy { latest { num_versions: 9 } }").Select(there), there);
  EXPECT_EQ(policy_of("version_policy { latest {} }").Select(there), Versions{});
  EXPECT_EQ(policy_of("version_policy { all {} }").Select(there), there);
  EXPECT_EQ(policy_of("version_policy { specific { versions: [7, 1, 7, 2] } }").Select(there),
            (Versions{1, 7}));
}

TEST(ConfigDocument, RefusesWhatABackendGotWrong) {
  ModelDirectory model;
  model.WriteConfig("backend: 'x' max_batch_size: 4 dynamic_batching { preferred_batch_size: 4 }");
  auto document = model.Read();
  ASSERT_TRUE(document.ok());
  const std::string before = document->ToJson();
  const std::string start =
      "Invalid argument: invalid configuration from the backend of model 'm': ";
  EXPECT_EQ(document->Complete(R"({"inputs": []})").ToString(),
            start + "inputs: Cannot find field.");
  EXPECT_TRUE(
      Contains(document->Complete(R"({"input": [{"name": "A", "data_type": "FP32"}]})").ToString(),
               start + "(input[0].data_type): invalid value \"FP32\""));
  EXPECT_TRUE(Contains(document->Complete("").ToString(), start));
  EXPECT_EQ(document->Complete(R"({"max_batch_size": 2, "dynamic_batching": {}})").ToString(),
            "Invalid argument: dynamic batching preferred size must be <= max batch size for m: "
            "got 4 and max_batch_size 2 (in " +
                model.path_of("config.pbtxt") + ")");
  EXPECT_EQ(document->Complete(R"({"sequence_batching": {}})").ToString(),
            "Internal: Cannot update scheduling choice from dynamic_batching to sequence_batching "
            "when auto-completing.");
  EXPECT_EQ(document->ToJson(), before);
}

TEST(ConfigDocument, ABackendMayChooseSequencesWhichAreRefusedAsInAFile) {
  ModelDirectory model;
  model.WriteConfig("backend: 'x'");
  auto document = model.Read();
  ASSERT_TRUE(document.ok());
  ASSERT_TRUE(document->Complete(R"({"sequence_batching": {}})").ok());
  EXPECT_TRUE(Contains(document->Finish(1).status().ToString(),
                       "this server does not support sequence_batching yet"));
}

TEST(ConfigDocument, ChecksTensorsEarlyWithoutAutoComplete) {
  ModelDirectory model;
  model.WriteConfig("backend: 'x' input {}");
  ASSERT_TRUE(model.Read().ok());
  ConfigPlace place = model.place();
  place.auto_complete = false;
  EXPECT_TRUE(Contains(ConfigDocument::Read(place).status().message(),
                       "model input must specify 'name' for m"));
}

TEST(ConfigDocument, LabelsStayInTheModelsDirectory) {
  ModelDirectory model;
  model.Write("labels/real.txt", "a\n\nb")
      .Write("../outside.txt", "secret")
      .Write("../m2/labels.txt", "x");
  std::filesystem::create_symlink("real.txt", model.path_of("labels/link.txt"));
  std::filesystem::create_symlink("../outside.txt", model.path_of("escape.txt"));
  const auto error_of = [&](const std::string& file) {
    model.WriteConfig(
        "backend: 'x' output { name: 'O' data_type: TYPE_FP32 dims: 2 "
        "label_filename: '" +
        file + "' }");
    const auto config = model.Read()->Finish(1);
    if (!config.ok()) return config.status().ToString();
    const std::vector<std::string>& labels = config->outputs[0].labels;
    return std::to_string(labels.size()) + " labels, the last is " + labels.back();
  };
  EXPECT_EQ(error_of("labels/real.txt"), "3 labels, the last is b");
  EXPECT_EQ(error_of("labels/link.txt"), "3 labels, the last is b");
  EXPECT_EQ(error_of("gone.txt"), "Internal: failed to open text file for read " +
                                      model.path_of("gone.txt") + ": No such file or directory");
  for (const char* file : {"../outside.txt", "escape.txt", "/etc/passwd", "/gone", "../gone",
                           "labels/../../outside.txt", "../m2/labels.txt"}) {
    EXPECT_EQ(error_of(file), std::string("Unsupported: label file path '") + file +
                                  "' for output 'O' in model 'm' is outside model directory");
  }
}

TEST(ConfigDocument, NamesAndCountsInstances) {
  const auto groups_of = [](const std::string& text, std::vector<int> gpus = {}) {
    ModelDirectory model;
    model.WriteConfig(text);
    ConfigPlace place = model.place();
    place.gpus = std::move(gpus);
    const auto config = ConfigDocument::Read(place)->Finish(1);
    if (!config.ok()) return config.status().ToString();
    std::string groups;
    for (const InstanceGroup& group : config->instance_groups) {
      groups += group.name + " " + std::to_string(static_cast<int>(group.kind)) + "x" +
                std::to_string(group.count) + "@" + std::to_string(group.gpus.size()) + " ";
    }
    return groups + std::to_string(config->instance_count());
  };
  EXPECT_EQ(groups_of("backend: 'x'"), "m 1x1@0 1");
  EXPECT_EQ(groups_of("backend: 'onnxruntime'"), "m 1x2@0 2");
  EXPECT_EQ(groups_of("backend: 'x' instance_group [ { count: 2 }, { name: 'g' } ]"),
            "m_0 1x2@0 g 1x1@0 3");
  EXPECT_EQ(groups_of("backend: 'x' instance_group [ { passive: true }, {} ]"), "m_1 1x1@0 1");
  EXPECT_EQ(groups_of("backend: 'x' instance_group { count: 2 }", {0, 1}), "m_0 2x2@2 4");
  EXPECT_EQ(groups_of("backend: 'x' instance_group { gpus: 1 }", {0, 1}), "m_0 2x1@1 1");
  EXPECT_EQ(groups_of("backend: 'onnxruntime'", {0, 1}), "m 1x2@0 2");
  EXPECT_EQ(groups_of("backend: 'onnxruntime' instance_group { kind: KIND_GPU }", {0, 1}),
            "m_0 2x1@2 2");
  EXPECT_TRUE(Contains(groups_of("backend: 'x' instance_group { gpus: 7 }", {0}),
                       "has kind KIND_CPU but specifies one or more GPUs"));
}

TEST(ConfigDocument, BackendsAreToldTheInstanceGroupsThatWillBe) {
  ModelDirectory model;
  model.WriteConfig("backend: 'x'");
  auto document = model.Read();
  ASSERT_TRUE(document.ok());
  const std::string asked = document->ToBackendJson();
  EXPECT_TRUE(Contains(asked, R"("instance_group":[{"name":"m","kind":"KIND_CPU","count":1,)"))
      << asked;
  EXPECT_TRUE(Contains(document->ToJson(), R"("instance_group":[],)"));
  ASSERT_TRUE(document->Complete(asked).ok());
  EXPECT_TRUE(Contains(document->ToJson(), R"("instance_group":[],)"));
}

TEST(ConfigDocument, TellsInPlaceChangesFromOthers) {
  const auto document_of = [](const std::string& text) {
    ModelDirectory model;
    return *model.WriteConfig("backend: 'x' " + text).Read();
  };
  const ConfigDocument base = document_of("parameters { key: 'k' value { string_value: 'v' } }");
  EXPECT_TRUE(base.DiffersOnlyInInstances(base));
  EXPECT_TRUE(base.DiffersOnlyInInstances(
      document_of("parameters { key: 'k' value { string_value: 'v' } } "
                  "instance_group { count: 3 } version_policy { all {} }")));
  EXPECT_FALSE(base.DiffersOnlyInInstances(
      document_of("parameters { key: 'k' value { string_value: 'w' } }")));
  EXPECT_FALSE(base.DiffersOnlyInInstances(document_of("")));
}

}  // namespace
}  // namespace pt::repo
