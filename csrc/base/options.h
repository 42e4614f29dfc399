// OptionSpec: one row an option. The command line, the environment variables, TritonConfig and the
// help are made from these rows; adding an option is adding a row (options_table.cc).
//
// Thread rule: the table is constant; OptionValues is a value.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pt {

enum class OptionType { kBool, kInt, kDouble, kString, kStringList };

// Whether the option does its work today; a known Triton flag that can't is accepted with one
// warning.
enum class OptionSupport { kActive, kAcceptedOnly };

struct OptionSpec {
  std::string_view name;  // as on the command line, without dashes: "http-port"
  OptionType type;
  std::string_view default_value;  // as text; empty: unset
  int64_t min_value;               // bounds of kInt; ignored for other types
  int64_t max_value;
  // "s", "us", "bytes", "port", "" ... For a kString that takes a few words only: the words,
  // divided by '|' ("none|low|high"); any letter case is taken, the value is stored as written
  // here.
  std::string_view unit;
  std::string_view group;  // heading in --help: "HTTP", "gRPC", "Logging" ...
  std::string_view help;   // one line, no full stop
  OptionSupport support;
};

// Every option, in the order of --help.
std::span<const OptionSpec> OptionTable();
// Null for an unknown name.
const OptionSpec* FindOption(std::string_view name);
// The environment variable of an option: "http-port" -> "PYTRITON_TRITON_CONFIG_HTTP_PORT".
std::string EnvironmentName(std::string_view name);

// Checked option values; what was not set has its default.
class OptionValues {
 public:
  // Sets one option from text; a list option collects. Errors: InvalidArgument for an unknown name
  // (with the nearest known one), a value of the wrong type or out of bounds.
  Status Set(std::string_view name, std::string_view text);

  bool IsSet(std::string_view name) const;
  // REQUIRES for the getters: `name` is in the table with that type.
  bool GetBool(std::string_view name) const;
  int64_t GetInt(std::string_view name) const;
  double GetDouble(std::string_view name) const;
  std::string GetString(std::string_view name) const;
  std::vector<std::string> GetList(std::string_view name) const;

 private:
  std::string_view TextOf(std::string_view name) const;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace pt
