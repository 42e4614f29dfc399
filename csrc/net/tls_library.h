// OpenTlsLibrary: loads libpytriton_tls.so, which holds OpenSSL. It lies beside the library (or the
// program) that this code is part of, is loaded once however often it is asked for, and stays.
//
// OpenSSL is linked into it, with no name of it visible: a process may use another OpenSSL, as
// Python's ssl does.
//
// Thread rule: any thread. Owner rule: nobody owns what it gives; it lives as long as the process.
#pragma once

#include "base/status.h"
#include "net/tls.h"

namespace pt::net {

// The one name that the library exports: const TlsMaker* pt_tls_maker().
inline constexpr char kTlsMakerName[] = "pt_tls_maker";

// Errors: Unavailable when it is missing or does not fit.
Result<const TlsMaker*> OpenTlsLibrary();

}  // namespace pt::net
