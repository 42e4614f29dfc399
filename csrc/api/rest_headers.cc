#include "api/rest_headers.h"

#include <charconv>
#include <chrono>
#include <string>

namespace pt::api {
namespace {

constexpr std::string_view kHeadLength = "Inference-Header-Content-Length";
constexpr std::string_view kTimeout = "x-request-timeout-ms";
constexpr int64_t kLongestTimeoutMs = int64_t{1} << 40;  // 35 years: as good as none

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

}  // namespace

Result<std::optional<int64_t>> InferenceHeaderLength(const HttpRequestHead& head) {
  const std::string_view text = head.Find(kHeadLength);
  if (text.empty()) return std::optional<int64_t>();
  const std::optional<int64_t> length = ParseInteger(text);
  if (!length || *length < 0) {
    return InvalidArgument("Unable to parse " + std::string(kHeadLength) +
                           ", got: " + std::string(text));
  }
  return length;
}

Result<TimePoint> RequestDeadline(const HttpRequestHead& head, TimePoint now) {
  const std::string_view text = head.Find(kTimeout);
  if (text.empty()) return kNoDeadline;
  const std::optional<int64_t> timeout = ParseInteger(text);
  if (!timeout || *timeout <= 0) {
    return InvalidArgument("Unable to parse " + std::string(kTimeout) +
                           ", expected milliseconds > 0, got: " + std::string(text));
  }
  if (*timeout >= kLongestTimeoutMs) return kNoDeadline;
  return now + std::chrono::milliseconds(*timeout);
}

}  // namespace pt::api
