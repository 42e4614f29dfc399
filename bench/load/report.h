// What a run gives its user: text for people, one JSON object for programs.
#pragma once

#include <string>

#include "load/options.h"
#include "load/tally.h"

namespace pt::load {

std::string ReportText(const Options& options, const Tally& tally);
std::string ReportJson(const Options& options, const Tally& tally);

}  // namespace pt::load
