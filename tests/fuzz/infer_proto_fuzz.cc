// Any bytes as a ModelInferRequest: our reader, whole and in parts, must agree with libprotobuf's,
// and read nothing outside of the message.

#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../csrc/wire/infer_proto_compare.h"

// What libprotobuf says of each bad string would hide what the fuzzer says.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  pt::BlockPool pool(0);
  std::string difference = pt::wire::test::CompareWhole(message);
  if (difference.empty()) {
    const size_t cut = size == 0 ? 0 : data[0] % size;
    difference = pt::wire::test::CompareAssembled(message, cut, &pool);
  }
  if (difference.empty()) return 0;
  std::fprintf(stderr, "libprotobuf and we disagree: %s\n", difference.c_str());
  std::abort();
}
