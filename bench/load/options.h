// Options: what the command line asked for. Plain data; every option is one row in options.cc.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace pt::load {

enum class Protocol { kGrpc, kHttp, kRaw };

struct Options {
  Protocol protocol = Protocol::kGrpc;
  std::string address = "127.0.0.1:8001";  // HOST:PORT or unix:PATH
  std::string model = "AddSub";
  std::string path = "/inference";  // raw only
  std::string left_input = "a";
  std::string right_input = "b";
  std::string sum_output = "add";
  std::string difference_output = "sub";
  bool is_identity = false;  // left_input alone, which comes back as sum_output
  int64_t elements = 16;
  int64_t rows = 1;
  int64_t concurrency = 1;
  int64_t connections = 1;
  int64_t idle_connections = 0;
  double rate = 0;  // requests per second; 0 = closed loop
  double duration_s = 5;
  double warmup_s = 1;
  double timeout_s = 30;
  double vanish_after_ms = 0;  // 0 = stay
  double first_answer_s = 0;   // 0 = measure a load instead
  std::string number_name;     // http only: a parameter that answers carry; empty: none
  std::string number_file;     // see NumberWindow
  bool is_checking = true;
  bool is_json = false;
  bool is_help = false;
};

// The name as given to --protocol.
const char* ProtocolName(Protocol protocol);

// Reads the command line. InvalidArgument names the option and what it expects.
Result<Options> ParseOptions(int argc, char** argv);

// The text of --help.
std::string HelpText();

}  // namespace pt::load
