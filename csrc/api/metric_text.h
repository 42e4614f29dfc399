// The text of metrics: exposition format 0.0.4, piece by piece.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/custom_metrics.h"

namespace pt::api {

std::string EscapedLabel(std::string_view text);
std::string NumberText(double value);
void AppendHead(std::string_view name, std::string_view type, std::string_view help,
                std::string* text);
// `labels`: as they stand between the braces; empty: none.
void AppendSeries(std::string_view name, std::string_view labels, std::string_view value,
                  std::string* text);
void AppendCustomMetrics(const std::vector<CustomFamilySnapshot>& families, std::string* text);

}  // namespace pt::api
