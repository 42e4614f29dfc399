// Front: the sockets of a server: its event loops, its listeners, and the dealing of connections.
// It knows no models; what is served are the HttpService and GrpcService it is given.
//
// Thread rule: Start and Stop from one thread that is neither a loop's nor an instance's.
// Owner rule: borrows Services, which must outlive it and every call under way.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http_call.h"
#include "base/clock.h"
#include "base/status.h"
#include "net/listener.h"
#include "net/tls_credentials.h"
#include "server/loop_context.h"

namespace pt::server {

// One listening socket.
struct Endpoint {
  api::PortRole role = api::PortRole::kHttp;
  std::string_view kind;          // "HTTP", for "failed to start HTTP service"
  std::string_view service_name;  // "HTTPService", for "Started HTTPService at"
  net::ListenOptions listen;
  std::optional<net::TlsFiles> tls;  // none: clear text
};

class Front {
 public:
  Front(const Services* services, int loop_count);
  ~Front();  // REQUIRES: never started, or stopped.
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // Opens every endpoint, in order, then starts to serve. Errors: Unavailable "failed to start HTTP
  // service: Unavailable - Socket 'A:P' already in use ", or why its certificate can't be used, or
  // why a socket or loop could not be made; nothing is left open then.
  Status Start(const std::vector<Endpoint>& endpoints);
  // Waits for the calls under way while the ports still answer; closes the listeners; has every
  // connection finish; at `deadline` fails what is left. Unavailable when the deadline had to do
  // it. Idempotent.
  Status Stop(TimePoint deadline);

  // The TCP port taken for that role; 0: none.
  int port(api::PortRole role) const;
  // Open connections. Any thread between Start and Stop.
  int64_t connection_count() const;

 private:
  struct OpenEndpoint {
    Endpoint endpoint;
    std::unique_ptr<net::Listener> listener;
    std::unique_ptr<net::TlsCredentials> tls;  // null: clear text
  };

  Status OpenAll(const std::vector<Endpoint>& endpoints);
  void Serve();
  Status Open(const Endpoint& endpoint);
  void Deal(int fd, const OpenEndpoint& open);
  bool AwaitCallsUnderWay(TimePoint deadline);
  void CloseListeners();
  bool DrainConnections(TimePoint deadline);

  const Services* const services_;
  const int loop_count_;
  std::vector<RefPtr<LoopContext>> loops_;
  std::vector<OpenEndpoint> endpoints_;  // their listeners belong to the first loop once they serve
};

}  // namespace pt::server
