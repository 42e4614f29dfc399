#include "api/header_forward.h"

#include <algorithm>
#include <array>
#include <regex>
#include <utility>

namespace pt::api {
namespace {

constexpr std::array<std::string_view, 6> kReserved = {
    "sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "binary_data_output"};

bool IsReserved(std::string_view name) {
  return name.substr(0, 7) == "triton_" ||
         std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

}  // namespace

struct HeaderForwarder::Pattern {
  std::regex regex;

  // std::regex reports what it can't do by exceptions; none leaves this file.
  bool Matches(std::string_view name) const {
    try {
      return std::regex_search(name.begin(), name.end(), regex);
    } catch (const std::regex_error&) {
      return false;
    }
  }
};

HeaderForwarder::HeaderForwarder(const std::string& pattern, Logger* logger) {
  if (pattern.empty()) return;
  try {
    pattern_ = std::make_unique<const Pattern>(Pattern{
        std::regex(pattern, std::regex::ECMAScript | std::regex::icase | std::regex::optimize)});
  } catch (const std::regex_error& error) {
    PT_LOG(logger, kError,
           "expected a regular expression as header forward pattern, got '" + pattern +
               "': " + error.what());
  }
}

HeaderForwarder::~HeaderForwarder() = default;

Result<Parameters> HeaderForwarder::Forward(const HttpRequestHead& head) const {
  Parameters forwarded;
  if (!pattern_) return forwarded;
  for (const HeaderView& header : head.headers) {
    // Pseudo headers of HTTP/2 are no metadata.
    if (header.name.empty() || header.name.front() == ':') continue;
    if (!pattern_->Matches(header.name)) continue;
    if (IsReserved(header.name)) {
      return InvalidArgument("Header '" + std::string(header.name) +
                             "' is reserved for Triton usage and cannot be forwarded.");
    }
    SetParameter(std::string(header.name), std::string(header.value), &forwarded);
  }
  return forwarded;
}

void SetParameter(std::string name, ParameterValue value, Parameters* parameters) {
  for (auto& [known, old] : *parameters) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  parameters->emplace_back(std::move(name), std::move(value));
}

}  // namespace pt::api
