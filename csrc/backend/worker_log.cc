#include "backend/worker_log.h"

#include <iterator>
#include <string>

#include "backend/worker_codec.h"

namespace pt::backend {
namespace {

LogLevel LevelOf(uint8_t level) {
  constexpr LogLevel kLevels[] = {LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError,
                                  LogLevel::kVerbose};
  return level < std::size(kLevels) ? kLevels[level] : LogLevel::kInfo;
}

}  // namespace

uint32_t LogMaskFor(const Logger* logger) {
  uint32_t mask = 0;
  for (uint8_t level = 0; level < 4; ++level) {
    if (logger != nullptr && logger->IsOn(LevelOf(level))) mask |= 1u << level;
  }
  return mask;
}

void LogFromWorker(Logger* logger, std::string_view payload) {
  MessageReader in(payload);
  const LogLevel level = LevelOf(in.Get<uint8_t>());
  const auto line = in.Get<uint32_t>();
  const std::string where = std::string(in.Text()) + ":" + std::to_string(line);
  if (logger != nullptr && logger->IsOn(level)) logger->Log(level, where, in.Rest());
}

}  // namespace pt::backend
