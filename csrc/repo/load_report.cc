#include "repo/load_report.h"

#include <chrono>
#include <utility>

#include "repo/layout.h"

namespace pt::repo {
namespace {

using Kind = LoadOutcome::Kind;

std::string FailedText(const std::string& name, const LoadOutcome& outcome) {
  return "load failed for model '" + name + "': version " + std::to_string(outcome.failed_version) +
         " is at UNAVAILABLE state: " + outcome.reason.ToString() + ";\n";
}

}  // namespace

LoadOutcome GivenUp(Status reason) {
  LoadOutcome outcome;
  outcome.kind = Kind::kCancelled;
  outcome.reason = std::move(reason);
  return outcome;
}

Status Closing() { return Unavailable("Server is stopping, models are no longer loaded"); }

Status TookTooLong(std::string_view name, Duration limit) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
  return Unavailable("load of model '" + std::string(name) + "' was given up: expected at most " +
                     std::to_string(seconds) + " s (--model-load-timeout-secs)");
}

Status WasUnloaded(std::string_view name) {
  return Unavailable("load of model '" + std::string(name) +
                     "' was given up: the model was unloaded meanwhile");
}

Status ClientStatus(const std::string& name, const LoadOutcome& outcome) {
  switch (outcome.kind) {
    case Kind::kLoaded:
    case Kind::kUnchanged:
      return {};
    case Kind::kFailed:
      return InvalidArgument(FailedText(name, outcome));
    case Kind::kChanged:
    case Kind::kCancelled:
      return outcome.reason;
    case Kind::kUnusable:
      break;
  }
  if (outcome.lacks_version) {
    return InvalidArgument("load failed for model '" + name + "': " + outcome.reason.message() +
                           "\n");
  }
  // Triton's words, then the reason, which Triton keeps to its log.
  return Internal("failed to load '" + name +
                  "', failed to poll from model repository: " + outcome.reason.message());
}

std::string ProblemText(const Status& problem) {
  // The one reason that Triton gives without a code before it.
  return problem.message() == DoubleModel().message() ? problem.message() : problem.ToString();
}

void LogOutcome(const std::string& name, const LoadOutcome& outcome, Logger* logger) {
  switch (outcome.kind) {
    case Kind::kUnchanged:
      return;
    case Kind::kLoaded:
      PT_LOG(logger, kInfo, "successfully loaded '" + name + "'");
      return;
    case Kind::kUnusable:
      PT_LOG(logger, kError, "failed to poll model '" + name + "': " + outcome.reason.message());
      return;
    case Kind::kFailed:
      PT_LOG(logger, kError,
             "failed to load '" + name + "' version " + std::to_string(outcome.failed_version) +
                 ": " + outcome.reason.ToString());
      return;
    case Kind::kChanged:
      PT_LOG(logger, kWarning, outcome.reason.message() + "; the load is discarded");
      return;
    case Kind::kCancelled:
      PT_LOG(logger, kError, outcome.reason.message());
      return;
  }
}

}  // namespace pt::repo
