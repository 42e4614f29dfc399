#include "load/options.h"

#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace pt::load {
namespace {

using Setter = Status (*)(Options&, const std::string& value);

struct Row {
  const char* name;
  const char* value;  // nullptr: a switch
  const char* help;
  Setter set;
};

Result<double> ParseNumber(const std::string& text, double low, double high) {
  char* end = nullptr;
  double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(number >= low && number <= high)) {
    return InvalidArgument("expected a number from " + std::to_string(low) + " to " +
                           std::to_string(high) + ", got '" + text + "'");
  }
  return number;
}

template <auto Member>
Status SetCount(Options& options, const std::string& text) {
  PT_ASSIGN_OR_RETURN(double number, ParseNumber(text, 0, 4e9));
  if (number != static_cast<double>(static_cast<int64_t>(number))) {
    return InvalidArgument("expected a whole number, got '" + text + "'");
  }
  options.*Member = static_cast<int64_t>(number);
  return {};
}

template <auto Member>
Status SetReal(Options& options, const std::string& text) {
  PT_ASSIGN_OR_RETURN(options.*Member, ParseNumber(text, 0, 1e12));
  return {};
}

template <auto Member>
Status SetText(Options& options, const std::string& text) {
  if (text.empty()) return InvalidArgument("expected a value, got an empty string");
  options.*Member = text;
  return {};
}

template <auto First, auto Second>
Status SetPair(Options& options, const std::string& text) {
  size_t comma = text.find(',');
  if (comma == std::string::npos || comma == 0 || comma + 1 == text.size()) {
    return InvalidArgument("expected two names with a comma between, got '" + text + "'");
  }
  options.*First = text.substr(0, comma);
  options.*Second = text.substr(comma + 1);
  return {};
}

Status SetProtocol(Options& options, const std::string& text) {
  for (Protocol protocol : {Protocol::kGrpc, Protocol::kHttp, Protocol::kRaw}) {
    if (text == ProtocolName(protocol)) {
      options.protocol = protocol;
      return {};
    }
  }
  return InvalidArgument("expected grpc, http or raw, got '" + text + "'");
}

const std::vector<Row>& Rows() {
  static const std::vector<Row> rows = {
      {"protocol", "grpc|http|raw",
       "grpc: ModelInfer; http: binary tensors; raw: POST of the bytes "
       "of both inputs, answered by the bytes of both outputs (default grpc)",
       SetProtocol},
      {"address", "HOST:PORT|unix:PATH", "the server (default 127.0.0.1:8001)",
       SetText<&Options::address>},
      {"model", "NAME", "model to call (default AddSub)", SetText<&Options::model>},
      {"path", "PATH", "path to POST to with raw (default /inference)", SetText<&Options::path>},
      {"inputs", "A,B", "names of the two FP32 inputs (default a,b)",
       SetPair<&Options::left_input, &Options::right_input>},
      {"outputs", "SUM,DIFF", "names of the outputs A+B and A-B (default add,sub)",
       SetPair<&Options::sum_output, &Options::difference_output>},
      {"identity", "IN,OUT", "send one FP32 input, which must come back as one output",
       [](Options& o, const std::string& text) {
         o.is_identity = true;
         return SetPair<&Options::left_input, &Options::sum_output>(o, text);
       }},
      {"elements", "N", "floats in a row of each tensor (default 16)",
       SetCount<&Options::elements>},
      {"rows", "N", "rows of a request, its batch dimension (default 1)", SetCount<&Options::rows>},
      {"concurrency", "N", "requests in flight; with --rate the most that may be (default 1)",
       SetCount<&Options::concurrency>},
      {"connections", "N",
       "gRPC connections that share them; HTTP takes one connection a request "
       "in flight (default 1)",
       SetCount<&Options::connections>},
      {"idle-connections", "N", "more connections, held open after one request each (default 0)",
       SetCount<&Options::idle_connections>},
      {"rate", "R",
       "open loop: start R requests a second and count latency from the moment a "
       "request was due (default 0: closed loop)",
       SetReal<&Options::rate>},
      {"duration", "SECONDS", "time measured (default 5)", SetReal<&Options::duration_s>},
      {"warmup", "SECONDS", "load before that, not measured (default 1)",
       SetReal<&Options::warmup_s>},
      {"timeout", "SECONDS",
       "longest silence of the server before the run is given up (default "
       "30)",
       SetReal<&Options::timeout_s>},
      {"vanish-after", "MS",
       "drop all connections with their requests under way after so many "
       "milliseconds, open new ones and go on (default 0: stay)",
       SetReal<&Options::vanish_after_ms>},
      {"first-answer", "SECONDS",
       "only try, for so long, until one right answer came, and tell "
       "when (default 0: measure a load)",
       SetReal<&Options::first_answer_s>},
      {"number", "NAME,FILE",
       "each HTTP answer has a parameter NAME with a whole number: at least the first of the two "
       "int64 in FILE as of the request's start, at most the second as of its end (default: none)",
       SetPair<&Options::number_name, &Options::number_file>},
      {"no-check", nullptr, "do not compare answers with what they must be",
       [](Options& o, const std::string&) {
         o.is_checking = false;
         return Status();
       }},
      {"json", nullptr, "print the result as one JSON object",
       [](Options& o, const std::string&) {
         o.is_json = true;
         return Status();
       }},
      {"help", nullptr, "print this",
       [](Options& o, const std::string&) {
         o.is_help = true;
         return Status();
       }},
  };
  return rows;
}

const Row* FindRow(std::string_view name) {
  for (const Row& row : Rows()) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

Status CheckTogether(const Options& options) {
  if (options.elements < 1 || options.rows < 1 || options.elements * options.rows > (1 << 28)) {
    return InvalidArgument("--elements times --rows: expected 1 to 268435456 floats");
  }
  if (options.concurrency < 1) return InvalidArgument("--concurrency: expected at least 1");
  if (options.connections < 1 || options.connections > options.concurrency) {
    return InvalidArgument("--connections: expected 1 to the value of --concurrency");
  }
  if (options.duration_s <= 0) return InvalidArgument("--duration: expected more than 0");
  if (!options.number_name.empty() && options.protocol != Protocol::kHttp) {
    return InvalidArgument("--number: expected with --protocol http only");
  }
  if (options.rate > 0 && options.vanish_after_ms > 0) {
    return InvalidArgument("--rate and --vanish-after: expected only one of them");
  }
  return {};
}

}  // namespace

const char* ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kGrpc:
      return "grpc";
    case Protocol::kHttp:
      return "http";
    case Protocol::kRaw:
      return "raw";
  }
  return "unknown";
}

Result<Options> ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "-h") argument = "--help";
    size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    const Row* row = name.rfind("--", 0) == 0 ? FindRow(name.substr(2)) : nullptr;
    if (row == nullptr) return InvalidArgument("unknown option '" + name + "', see --help");
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (row->value != nullptr) {
      if (++i == argc) return InvalidArgument(name + ": expected " + row->value);
      value = argv[i];
    }
    Status status = row->set(options, value);
    if (!status.ok()) return InvalidArgument(name + ": " + status.message());
  }
  PT_RETURN_IF_ERROR(CheckTogether(options));
  return options;
}

std::string HelpText() {
  std::string text =
      "usage: pytriton-load [options]\n\n"
      "Loads an inference server that serves A+B and A-B of two float tensors (or gives one "
      "back),\n"
      "checks every answer byte for byte, and prints rate, latency, errors and its own cost.\n"
      "Exit code: 0 all answers right or refused, 1 wrong or failed ones, 2 bad options,\n"
      "3 server not reached.\n\n";
  for (const Row& row : Rows()) {
    std::string head = std::string("  --") + row.name;
    if (row.value != nullptr) head += std::string(" ") + row.value;
    text += head + "\n      " + row.help + "\n";
  }
  return text;
}

}  // namespace pt::load
