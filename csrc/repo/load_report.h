// What is said of a load and its outcome: to the client that asked for it, and to the log.
//
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "repo/model_load.h"

namespace pt::repo {

// Why a load is given up, and the outcome of such a load.
Status Closing();
Status TookTooLong(std::string_view name, Duration limit);
Status WasUnloaded(std::string_view name);
LoadOutcome GivenUp(Status reason);

// What a client is told of an outcome, in Triton's words where it has some.
Status ClientStatus(const std::string& name, const LoadOutcome& outcome);

// As the index tells it.
std::string ProblemText(const Status& problem);

void LogOutcome(const std::string& name, const LoadOutcome& outcome, Logger* logger);

}  // namespace pt::repo
