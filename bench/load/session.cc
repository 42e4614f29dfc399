#include "load/session.h"

#include "load/grpc_session.h"
#include "load/http_session.h"

namespace pt::load {

Result<std::unique_ptr<Session>> Session::Open(SessionShared* shared) {
  PT_ASSIGN_OR_RETURN(Socket socket, Socket::Connect(shared->options->address));
  if (shared->options->protocol != Protocol::kGrpc) {
    return std::unique_ptr<Session>(new HttpSession(std::move(socket), shared));
  }
  auto session = std::make_unique<GrpcSession>(std::move(socket), shared);
  PT_RETURN_IF_ERROR(session->Greet());
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace pt::load
