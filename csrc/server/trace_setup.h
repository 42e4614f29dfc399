// The tracer that the options ask for: --trace-config and the deprecated --trace-* options
// (spec/triton-frontend 4, 6).
//
// Thread rule: at start. Owner rule: the caller owns what is made.
#pragma once

#include <memory>

#include "api/trace_settings.h"
#include "api/tracer.h"
#include "base/log.h"
#include "base/options.h"
#include "base/status.h"

namespace pt::server {

// Errors: InvalidArgument in Triton's words.
Result<api::TraceOptions> ReadTrace(const OptionValues& options);

// Logs what is deprecated.
// A collector at an https URL proves who it is by the authorities of the file that
// OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE or OTEL_EXPORTER_OTLP_CERTIFICATE names, or by the
// system's. Where that file is no good, a warning says so, and nothing is sent.
std::unique_ptr<api::Tracer> MakeTracer(api::TraceOptions options, Logger* logger);

}  // namespace pt::server
