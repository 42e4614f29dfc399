// What the library `pytriton_tls` exports: one C function (net/tls_library.h).
#include "tls/maker.h"

extern "C" {

__attribute__((visibility("default"))) const pt::net::TlsMaker* pt_tls_maker() {
  // Never destroyed: threads may use it while the process ends.
  static const auto* const maker = new pt::tls::Maker;
  return maker;
}
}
