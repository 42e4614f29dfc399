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

}  // namespace
}  // namespace pt::repo
