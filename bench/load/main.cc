// pytriton-load: the command.
#include <sys/resource.h>

#include <cstdio>

#include "load/options.h"
#include "load/report.h"
#include "load/runner.h"

namespace {

constexpr int kExitBadAnswers = 1;
constexpr int kExitBadOptions = 2;
constexpr int kExitNotReached = 3;

// Thousands of connections need as many descriptors.
void AllowDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  pt::Result<pt::load::Options> options = pt::load::ParseOptions(argc, argv);
  if (!options.ok()) {
    std::fprintf(stderr, "pytriton-load: %s\n", options.status().message().c_str());
    return kExitBadOptions;
  }
  if (options->is_help) {
    std::fputs(pt::load::HelpText().c_str(), stdout);
    return 0;
  }
  AllowDescriptors();
  pt::load::Runner runner(&*options);
  pt::Result<pt::load::Tally> tally = runner.Run();
  if (!tally.ok()) {
    std::fprintf(stderr, "pytriton-load: %s\n", tally.status().message().c_str());
    return tally.status().code() == pt::Code::kInvalidArgument ? kExitBadOptions : kExitNotReached;
  }
  std::string report = options->is_json ? pt::load::ReportJson(*options, *tally)
                                        : pt::load::ReportText(*options, *tally);
  std::fputs(report.c_str(), stdout);
  return tally->wrong + tally->failed > 0 ? kExitBadAnswers : 0;
}
