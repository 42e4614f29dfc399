// Where a configuration comes from: text, JSON, YAML, overrides, nothing; and hostile ones.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "repo/config_text.h"
#include "repo/config_yaml.h"
#include "repo/model_directory.h"

namespace pt::repo {
namespace {

using testing::ModelDirectory;

std::string ReadError(const ModelDirectory& model) {
  const auto document = model.Read();
  return document.ok() ? "read without error" : document.status().ToString();
}

std::string OverrideError(const std::string& json) {
  const ModelDirectory model;
  ConfigPlace place = model.place();
  place.override_json = json;
  const auto document = ConfigDocument::Read(place);
  return document.ok() ? "read without error" : document.status().ToString();
}

std::string TextError(const std::string& text) {
  ModelDirectory model;
  model.WriteConfig(text);
  const std::string error = ReadError(model);
  const std::string before =
      "Internal: failed to read text proto from " + model.path_of("config.pbtxt") + ": ";
  return error.starts_with(before) ? error.substr(before.size()) : error;
}

TEST(ConfigText, NamesThePlaceAndTheMend) {
  EXPECT_EQ(TextError("backend: 'x'\n  max_batchsize: 4\n"),
            "line 2, column 16: Message type \"inference.ModelConfig\" has no field named "
            "\"max_batchsize\".; did you mean 'max_batch_size'?");
  EXPECT_EQ(TextError("input { data_type: FP32 }"),
            "line 1, column 25: Unknown enumeration value of \"FP32\" for field \"data_type\".; "
            "did you mean 'TYPE_FP32'?");
  EXPECT_EQ(TextError("dynamic_batching {} sequence_batching {}"),
            "line 1, column 39: Field \"sequence_batching\" is specified along with field "
            "\"dynamic_batching\", another member of oneof \"scheduling_choice\".");
  EXPECT_EQ(TextError("xyzzyxyzzy: 4"),
            "line 1, column 11: Message type \"inference.ModelConfig\" has no field named "
            "\"xyzzyxyzzy\".");
}

TEST(ConfigText, RefusesWhatIsNoText) {
  std::string junk;
  for (int i = 0; i < 4096; ++i) junk += static_cast<char>(i * 37);
  EXPECT_TRUE(TextError(junk).starts_with("line 1, column ")) << TextError(junk);
  std::string deep = "x: { ";
  for (int i = 0; i < 100000; ++i) deep += "x { ";
  EXPECT_TRUE(TextError(deep).starts_with("line 1, column ")) << TextError(deep);
  EXPECT_EQ(TextError("backend: 'a\\000b'"), "expected UTF-8 text without zero bytes in 'backend'");
  EXPECT_EQ(TextError("input { data_type: 99 }"),
            "expected a value of DataType in 'input.data_type', got 99");
  EXPECT_EQ(TextError("sequence_batching { direct { minimum_slot_utilization: nan } }"),
            "expected a finite number in 'sequence_batching.direct.minimum_slot_utilization'");
  EXPECT_EQ(TextError("backend: 'x' input { name: '\\377' }"),
            "expected UTF-8 text without zero bytes in 'input.name'");
  EXPECT_EQ(TextError("backend: 'x' parameters { key: 'k' value { string_value: '\\300\\200' } }"),
            "expected UTF-8 text without zero bytes in 'parameters.value.string_value'");
}

TEST(ConfigText, RefusesWhatIsNoFile) {
  ModelDirectory directory;
  directory.Write("config.pbtxt/x", "");
  EXPECT_EQ(ReadError(directory), "Internal: failed to open text file for read " +
                                      directory.path_of("config.pbtxt") + ": Is a directory");
  const ModelDirectory pipe;
  ASSERT_EQ(mkfifo(pipe.path_of("config.pbtxt").c_str(), 0600), 0);
  EXPECT_EQ(ReadError(pipe), "Internal: failed to open text file for read " +
                                 pipe.path_of("config.pbtxt") + ": it is no regular file");
  const ModelDirectory link;
  std::filesystem::create_symlink("gone", link.path_of("config.pbtxt"));
  EXPECT_EQ(ReadError(link), "Internal: failed to open text file for read " +
                                 link.path_of("config.pbtxt") + ": No such file or directory");
  ModelDirectory large;
  large.WriteConfig(std::string(kMaxConfigBytes + 1, ' '));
  EXPECT_EQ(ReadError(large), "Internal: failed to open text file for read " +
                                  large.path_of("config.pbtxt") +
                                  ": expected at most 16777216 bytes");
}

TEST(ConfigSources, NeedOneFile) {
  ModelDirectory model;
  model.WriteConfig("").Write("config.yaml", "");
  EXPECT_EQ(ReadError(model), "Invalid argument: expected one configuration file, found " +
                                  model.path_of("config.pbtxt") + " and " +
                                  model.path_of("config.yaml") + ": remove one of them");
}

TEST(ConfigSources, NoFileIsAnErrorWithoutAutoComplete) {
  ModelDirectory model;
  model.Write("1/model.py", "");
  ASSERT_TRUE(model.Read().ok());
  ConfigPlace place = model.place();
  place.auto_complete = false;
  EXPECT_EQ(ConfigDocument::Read(place).status().ToString(),
            "Internal: failed to open text file for read " + model.path_of("config.pbtxt") +
                ": No such file or directory");
}

TEST(ConfigSources, NamedConfigurationComesFirst) {
  ModelDirectory model;
  model.WriteConfig("backend: 'plain'").Write("configs/other.pbtxt", "backend: 'named'");
  ConfigPlace place = model.place();
  place.config_name = "other";
  EXPECT_EQ(ConfigDocument::Read(place)->backend(), "named");
  place.config_name = "absent";
  EXPECT_EQ(ConfigDocument::Read(place)->backend(), "plain");
  place.config_name = "../configs/other";
  EXPECT_EQ(ConfigDocument::Read(place).status().message(),
            "invalid configuration name '../configs/other': expected a file name");
}

TEST(ConfigSources, OverrideReplacesTheFile) {
  ModelDirectory model;
  model.WriteConfig("backend: 'x' max_batch_size: 4");
  ConfigPlace place = model.place();
  place.override_json = R"({"backend": "y"})";
  const auto document = ConfigDocument::Read(place);
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->backend(), "y");
  EXPECT_EQ(document->Finish(1)->max_batch_size, 0);
}

TEST(ConfigSources, OverrideErrorsAreTritons) {
  EXPECT_EQ(OverrideError(R"({"max_batch_size": "zz"})"),
            "Invalid argument: Invalid config override: (max_batch_size): invalid value \"zz\" for "
            "type TYPE_INT32 (in the override)");
  EXPECT_EQ(OverrideError(R"({"nofield": 1})"),
            "Invalid argument: Invalid config override: nofield: Cannot find field. (in the "
            "override)");
  EXPECT_EQ(
      OverrideError(R"({"backend": "x", "input": [{"name": "A", "data_type": "type_fp32"}]})"),
      "read without error");
  for (const char* json : {"", "[]", "1", "{", "{\"name\": \"\xff\xfe\"}", "null"}) {
    EXPECT_TRUE(OverrideError(json).starts_with("Invalid argument: Invalid config override: "))
        << json << " gave " << OverrideError(json);
  }
  EXPECT_TRUE(OverrideError(std::string(1 << 20, '['))
                  .starts_with("Invalid argument: Invalid config override: "));
  EXPECT_EQ(OverrideError(std::string(kMaxConfigBytes + 1, ' ')),
            "Invalid argument: Invalid config override: expected at most 16777216 bytes of "
            "configuration, got 16777217 (in the override)");
}

constexpr const char* kText = R"(
backend: "x"
max_batch_size: 8
input { name: "A" data_type: TYPE_FP32 dims: [ -1, 4 ] optional: true }
output { name: "1" data_type: TYPE_STRING dims: 1 }
dynamic_batching { max_queue_delay_microseconds: 100 priority_levels: 1 default_priority_level: 1
  priority_queue_policy { key: 1 value { max_queue_size: 2 } } }
parameters { key: "k" value { string_value: "2" } }
version_policy { all {} }
sequence_of_nothing: 0
)";

TEST(ConfigSources, AllFormatsSayTheSame) {
  std::string text = kText;
  text.resize(text.find("sequence_of_nothing"));
  ModelDirectory pbtxt;
  pbtxt.WriteConfig(text);
  ModelDirectory yaml;
  yaml.Write("config.yaml", R"(---
backend: x
max_batch_size: 8
input:
  - {name: A, data_type: TYPE_FP32, dims: [-1, 4], optional: True}
output:
- name: 1
  data_type: "TYPE_STRING"
  dims:
  - 1
dynamic_batching:
  max_queue_delay_microseconds: 100   # a comment
  priority_levels: 1
  default_priority_level: 1
  priority_queue_policy: {1: {max_queue_size: 2}}
parameters:
  k: {string_value: 2}
version_policy: {all: {}}
metric_tags: ~
)");
  const auto from_text = pbtxt.Read();
  const auto from_yaml = yaml.Read();
  ASSERT_TRUE(from_text.ok()) << from_text.status().ToString();
  ASSERT_TRUE(from_yaml.ok()) << from_yaml.status().ToString();
  EXPECT_EQ(from_text->ToJson(), from_yaml->ToJson());
  ModelDirectory json;
  json.Write("config.json", from_text->ToJson());
  const auto from_json = json.Read();
  ASSERT_TRUE(from_json.ok()) << from_json.status().ToString();
  EXPECT_EQ(from_text->ToJson(), from_json->ToJson());
  EXPECT_TRUE(from_text->DiffersOnlyInInstances(*from_json));
}

std::string YamlError(const std::string& yaml) {
  const auto json = YamlToJson(yaml);
  return json.ok() ? "converted to " + *json : json.status().message();
}

TEST(ConfigYaml, SaysWhereAndWhat) {
  const struct {
    std::string yaml;
    std::string error;
  } rows[] = {
      {"backend: x\nmax_batchsize: 1",
       "line 2, column 1: no field 'max_batchsize' in ModelConfig; did you mean 'max_batch_size'?"},
      {"max_batch_size: yes", "line 1, column 17: 'max_batch_size' expects a number, got 'yes'"},
      {"max_batch_size: 0x10", "line 1, column 17: 'max_batch_size' expects a number, got '0x10'"},
      {"max_batch_size: .inf", "line 1, column 17: 'max_batch_size' expects a number, got '.inf'"},
      {"input: [{optional: on}]", "line 1, column 20: 'optional' expects true or false, got 'on'"},
      {"name: [a]", "line 1, column 7: 'name' takes no list"},
      {"name: {a: b}", "line 1, column 7: 'name' takes a single value, got a mapping"},
      {"input: 3", "line 1, column 8: 'input' takes fields or a list, got a single value"},
      {"input: [[]]", "line 1, column 9: 'input' takes no list"},
      {"- a", "line 1, column 1: expected the fields of a configuration, got a list"},
      {"text", "line 1, column 1: expected the fields of a configuration"},
      {"name: a\nname: b", "line 2, column 1: 'name' is given twice"},
      {"name: a\n---\nname: b", "line 2, column 1: expected one YAML document, got a second one"},
      {"name: &x a\nbackend: *x",
       "line 2, column 10: expected a value, got an alias; aliases are not supported, repeat it"},
      {"? [a]\n: b", "line 1, column 3: expected a field name"},
  };
  for (const auto& row : rows) EXPECT_EQ(YamlError(row.yaml), row.error) << row.yaml;
}

TEST(ConfigYaml, SurvivesHostileText) {
  for (const std::string& yaml :
       {std::string(100000, '['), "input: " + std::string(100000, '['), std::string("\0\1\2", 3),
        std::string("name: \"\xff\""), std::string("name: 'open"), std::string("{"),
        std::string("a: b: c"), std::string("\t- x"), std::string("%YAML 9.9\n---\nname: x")}) {
    EXPECT_TRUE(YamlError(yaml).starts_with("line ")) << YamlError(yaml).substr(0, 200);
  }
  EXPECT_EQ(YamlError(""), "converted to {}");
  EXPECT_EQ(YamlError("# nothing"), "converted to {}");
}

}  // namespace
}  // namespace pt::repo
