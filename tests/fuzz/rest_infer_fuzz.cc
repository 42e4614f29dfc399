// Any bytes as the body of an infer call to a model that echoes: every call is answered exactly
// once. The first two bytes are the length of the JSON part.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../csrc/api/rest_peer.h"

namespace {

pt::api::RestPeer& Peer() {
  static pt::api::RestPeer* const peer = [] {
    auto* made = new pt::api::RestPeer();
    using pt::DataType;
    using pt::api::Spec;
    auto config =
        pt::api::EchoConfig("m",
                            {Spec("A", DataType::kFp32, {-1}), Spec("B", DataType::kInt8, {-1}),
                             Spec("C", DataType::kBytes, {-1})},
                            4);
    for (pt::TensorSpec& input : config.inputs) input.is_optional = true;
    if (!made->repository.AddModel(std::move(config), nullptr).ok()) std::abort();
    return made;
  }();
  return *peer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Short inputs run, too: libFuzzer stops when its first two, of at most one byte, reach nothing.
  const uint8_t low = size > 0 ? data[0] : 0;
  const uint8_t high = size > 1 ? data[1] : 0xFF;
  const std::string length = std::to_string(low | high << 8);
  pt::api::PeerCall call;
  call.target = "/v2/models/m/infer";
  if (size > 2) call.body.assign(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (high < 0x80) call.headers.push_back({"Inference-Header-Content-Length", length});
  if (Peer().Do(call)->sends != 1) std::abort();
  call.target = "/v2/models/m/generate";
  if (Peer().Do(call)->sends != 1) std::abort();
  return 0;
}
