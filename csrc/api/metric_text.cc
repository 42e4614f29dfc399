#include "api/metric_text.h"

#include <charconv>
#include <cmath>
#include <cstdint>

namespace pt::api {
namespace {

std::string_view TypeName(CustomMetricKind kind) {
  switch (kind) {
    case CustomMetricKind::kCounter:
      return "counter";
    case CustomMetricKind::kGauge:
      return "gauge";
    case CustomMetricKind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

// Help texts escape backslash and line feed.
std::string EscapedHelp(std::string_view help) {
  std::string out;
  for (const char c : help) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string LabelsText(const MetricLabels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text.append(name).append("=\"").append(EscapedLabel(value)).append("\"");
  }
  return text;
}

void AppendHistogram(const std::string& name, const std::string& labels,
                     const CustomSeriesSnapshot& series, std::string* text) {
  uint64_t total = 0;
  for (const uint64_t count : series.counts) total += count;
  AppendSeries(name + "_count", labels, std::to_string(total), text);
  AppendSeries(name + "_sum", labels, NumberText(series.sum), text);
  const std::string prefix = labels.empty() ? "" : labels + ",";
  uint64_t cumulated = 0;
  for (size_t i = 0; i < series.counts.size(); ++i) {
    cumulated += series.counts[i];
    const std::string bound = i < series.bounds.size() ? NumberText(series.bounds[i]) : "+Inf";
    std::string bucket = prefix;
    bucket.append("le=\"").append(bound).append("\"");
    AppendSeries(name + "_bucket", bucket, std::to_string(cumulated), text);
  }
}

}  // namespace

// Label values escape backslash, quote and line feed (exposition format 0.0.4).
std::string EscapedLabel(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::abs(value) < kExact && value == std::floor(value)) {
    return std::to_string(static_cast<int64_t>(value));
  }
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

void AppendHead(std::string_view name, std::string_view type, std::string_view help,
                std::string* text) {
  text->append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  text->append(name).append(" ").append(type).append("\n");
}

void AppendSeries(std::string_view name, std::string_view labels, std::string_view value,
                  std::string* text) {
  text->append(name);
  if (!labels.empty()) text->append("{").append(labels).append("}");
  text->append(" ").append(value).append("\n");
}

void AppendCustomMetrics(const std::vector<CustomFamilySnapshot>& families, std::string* text) {
  for (const CustomFamilySnapshot& family : families) {
    AppendHead(family.name, TypeName(family.kind), EscapedHelp(family.help), text);
    for (const CustomSeriesSnapshot& series : family.series) {
      const std::string labels = LabelsText(series.labels);
      if (family.kind == CustomMetricKind::kHistogram) {
        AppendHistogram(family.name, labels, series, text);
      } else {
        AppendSeries(family.name, labels, NumberText(series.value), text);
      }
    }
  }
}

}  // namespace pt::api
