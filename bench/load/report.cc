#include "load/report.h"

#include <cstdarg>
#include <cstdio>

namespace pt::load {
namespace {

[[gnu::format(printf, 1, 2)]] std::string Format(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

double Us(int64_t ns) { return static_cast<double>(ns) / 1e3; }

double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

std::string EscapeJson(const std::string& text) {
  std::string out;
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += Format("\\u%04x", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string Number(const char* key, double value) { return Format("\"%s\": %.6g, ", key, value); }

std::string Count(const char* key, int64_t value) {
  return Format("\"%s\": %lld, ", key, static_cast<long long>(value));
}

std::string TextOfExtras(const Options& options, const Tally& tally) {
  std::string text;
  auto add = [&text](const char* what, int64_t count, const char* more) {
    text += Format("  %-11s %lld %s\n", what, static_cast<long long>(count), more);
  };
  if (options.rate > 0) add("late", tally.not_started, "were due but not started");
  if (options.vanish_after_ms > 0) {
    add("vanished", tally.vanished,
        Format("under way in %lld rounds; the server answers after it",
               static_cast<long long>(tally.vanish_rounds))
            .c_str());
  }
  if (options.idle_connections > 0) {
    add("idle", options.idle_connections,
        Format("connections, %lld closed by the server", static_cast<long long>(tally.idle_closed))
            .c_str());
  }
  if (tally.reconnects > 0) add("reconnects", tally.reconnects, "");
  if (!tally.first_reason.empty()) text += "  first fault  " + tally.first_reason + "\n";
  return text;
}

}  // namespace

std::string ReportText(const Options& options, const Tally& tally) {
  if (options.first_answer_s > 0)
    return Format("first right answer after %.3f s\n", tally.Seconds());
  const Histogram& latency = tally.latency;
  std::string text =
      Format("%s %s: %d x %lld floats in and out, %lld in flight\n", ProtocolName(options.protocol),
             options.address.c_str(), options.is_identity ? 1 : 2,
             static_cast<long long>(options.rows * options.elements),
             static_cast<long long>(options.concurrency));
  text += Format("  requests    %lld right, %lld refused, %lld wrong, %lld failed in %.2f s\n",
                 static_cast<long long>(tally.right), static_cast<long long>(tally.refused),
                 static_cast<long long>(tally.wrong), static_cast<long long>(tally.failed),
                 tally.Seconds());
  text += Format("  rate        %.1f right answers/s\n",
                 Share(static_cast<double>(tally.right), tally.Seconds()));
  text += Format("  latency us  mean %.1f  p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f\n",
                 latency.Mean() / 1e3, Us(latency.Quantile(0.5)), Us(latency.Quantile(0.9)),
                 Us(latency.Quantile(0.99)), Us(latency.Quantile(0.999)), Us(latency.max()));
  text += Format("  this tool   %.2f us of CPU a request\n",
                 Share(tally.cpu_seconds * 1e6, static_cast<double>(tally.Counted())));
  return text + TextOfExtras(options, tally);
}

std::string ReportJson(const Options& options, const Tally& tally) {
  const Histogram& latency = tally.latency;
  std::string json = Format("{\"protocol\": \"%s\", ", ProtocolName(options.protocol));
  json += Count("elements", options.elements) + Count("rows", options.rows);
  json += Count("concurrency", options.concurrency) + Count("connections", options.connections);
  json += Number("rate_asked", options.rate) + Number("seconds", tally.Seconds());
  json += Count("right", tally.right) + Count("refused", tally.refused);
  json += Count("wrong", tally.wrong) + Count("failed", tally.failed);
  json += Number("rate", Share(static_cast<double>(tally.right), tally.Seconds()));
  json += Number("mean_us", latency.Mean() / 1e3) + Number("p50_us", Us(latency.Quantile(0.5)));
  json +=
      Number("p90_us", Us(latency.Quantile(0.9))) + Number("p99_us", Us(latency.Quantile(0.99)));
  json += Number("p999_us", Us(latency.Quantile(0.999))) + Number("max_us", Us(latency.max()));
  json += Number("cpu_us_per_request",
                 Share(tally.cpu_seconds * 1e6, static_cast<double>(tally.Counted())));
  json += Count("ended", tally.ended) + Count("not_started", tally.not_started);
  json += Count("reconnects", tally.reconnects) + Count("idle_closed", tally.idle_closed);
  json += Count("vanish_rounds", tally.vanish_rounds) + Count("vanished", tally.vanished);
  json += Count("first_answer_monotonic_ns", tally.first_answer_ns);
  return json + "\"first_fault\": \"" + EscapeJson(tally.first_reason) + "\"}\n";
}

}  // namespace pt::load
