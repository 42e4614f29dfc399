#include "base/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

namespace pt {
namespace {

char LowerOf(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerOf(x) == LowerOf(y); });
}

std::optional<bool> ParseBool(std::string_view text) {
  for (const std::string_view word : {"true", "on", "1"}) {
    if (EqualsIgnoringCase(text, word)) return true;
  }
  for (const std::string_view word : {"false", "off", "0"}) {
    if (EqualsIgnoringCase(text, word)) return false;
  }
  return std::nullopt;
}

std::optional<int64_t> ParseInt(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> ParseDouble(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

Status Expected(const OptionSpec& spec, std::string_view what, std::string_view got) {
  return InvalidArgument("option --" + std::string(spec.name) + ": expected " + std::string(what) +
                         ", got '" + std::string(got) + "'");
}

Result<std::string> CheckInt(const OptionSpec& spec, std::string_view text) {
  // Triton takes it as level 1.
  if (spec.name == "log-verbose" && EqualsIgnoringCase(text, "true")) return std::string("1");
  const std::optional<int64_t> value = ParseInt(text);
  if (!value || *value < spec.min_value || *value > spec.max_value) {
    return Expected(spec,
                    "an integer from " + std::to_string(spec.min_value) + " to " +
                        std::to_string(spec.max_value),
                    text);
  }
  return std::to_string(*value);
}

Result<std::string> CheckWord(const OptionSpec& spec, std::string_view text) {
  if (spec.unit.find('|') == std::string_view::npos) return std::string(text);
  std::string_view words = spec.unit;
  while (!words.empty()) {
    const size_t end = std::min(words.find('|'), words.size());
    if (EqualsIgnoringCase(words.substr(0, end), text)) return std::string(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return Expected(spec, "one of " + std::string(spec.unit), text);
}

// The value in the form in which it is stored.
Result<std::string> Check(const OptionSpec& spec, std::string_view text) {
  switch (spec.type) {
    case OptionType::kBool: {
      const std::optional<bool> value = ParseBool(text);
      if (!value) return Expected(spec, "true, on, 1, false, off or 0", text);
      return std::string(*value ? "true" : "false");
    }
    case OptionType::kInt:
      return CheckInt(spec, text);
    case OptionType::kDouble:
      if (!ParseDouble(text)) return Expected(spec, "a number", text);
      return std::string(text);
    case OptionType::kString:
      return CheckWord(spec, text);
    case OptionType::kStringList:
      return std::string(text);
  }
  return Internal("option --" + std::string(spec.name) + " has no type");
}

// How many letters must be changed, put in or left out to make one the other.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

Status UnknownOption(std::string_view name) {
  std::string text = "unknown option --" + std::string(name);
  const OptionSpec* nearest = nullptr;
  // Further away it is another word rather than a slip.
  size_t distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const OptionSpec& spec : OptionTable()) {
    // Names are short; a longer one resembles nothing, and would cost its length squared.
    if (name.size() > 2 * spec.name.size()) continue;
    const size_t found = EditDistance(name, spec.name);
    if (found < distance) {
      distance = found;
      nearest = &spec;
    }
  }
  if (nearest != nullptr) text += "; did you mean --" + std::string(nearest->name) + "?";
  return InvalidArgument(std::move(text));
}

}  // namespace

const OptionSpec* FindOption(std::string_view name) {
  const auto table = OptionTable();
  const auto at = std::find_if(table.begin(), table.end(),
                               [name](const OptionSpec& spec) { return spec.name == name; });
  return at == table.end() ? nullptr : &*at;
}

std::string EnvironmentName(std::string_view name) {
  std::string variable = "PYTRITON_TRITON_CONFIG_";
  for (const char c : name) {
    if (c == '-') {
      variable += '_';
    } else {
      variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return variable;
}

Status OptionValues::Set(std::string_view name, std::string_view text) {
  const OptionSpec* spec = FindOption(name);
  if (spec == nullptr) return UnknownOption(name);
  PT_ASSIGN_OR_RETURN(std::string value, Check(*spec, text));
  std::vector<std::string>& values = values_[std::string(name)];
  if (spec->type != OptionType::kStringList) values.clear();
  values.push_back(std::move(value));
  return {};
}

bool OptionValues::IsSet(std::string_view name) const {
  return values_.find(name) != values_.end();
}

std::string_view OptionValues::TextOf(std::string_view name) const {
  const auto at = values_.find(name);
  if (at != values_.end()) return at->second.back();
  const OptionSpec* spec = FindOption(name);
  PT_DCHECK(spec != nullptr);
  return spec == nullptr ? std::string_view() : spec->default_value;
}

bool OptionValues::GetBool(std::string_view name) const {
  return ParseBool(TextOf(name)).value_or(false);
}

int64_t OptionValues::GetInt(std::string_view name) const {
  return ParseInt(TextOf(name)).value_or(0);
}

double OptionValues::GetDouble(std::string_view name) const {
  return ParseDouble(TextOf(name)).value_or(0);
}

std::string OptionValues::GetString(std::string_view name) const {
  return std::string(TextOf(name));
}

std::vector<std::string> OptionValues::GetList(std::string_view name) const {
  const auto at = values_.find(name);
  return at == values_.end() ? std::vector<std::string>() : at->second;
}

}  // namespace pt
