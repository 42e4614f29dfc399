#include "server/front.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/connection.h"
#include "server/latch.h"

namespace pt::server {
namespace {

// After the deadline: time for the error answers to leave.
constexpr Duration kLastWords = std::chrono::milliseconds(500);
constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 71\r\n"
    "Connection: close\r\n\r\n"
    "{\"error\":\"expected at most max-connections open connections, got more\"}";

// An accepted descriptor on its way to its loop.
class NewConnection final : public net::LoopTask {
 public:
  // `tls`: null for clear text.
  NewConnection(RefPtr<LoopContext> loop, int fd, api::PortRole role,
                std::unique_ptr<net::TlsSession> tls)
      : loop_(std::move(loop)), fd_(fd), role_(role), tls_(std::move(tls)) {
    loop_->ExpectConnection();
  }

  void RunOnLoop() override {
    loop_->DropExpected();
    auto connection = MakeRef<Connection>(loop_, fd_, role_);
    if (tls_ != nullptr) connection->Secure(std::move(tls_));
    if (connection->Open()) loop_->Add(std::move(connection));
    delete this;
  }

  void DropUnrun() override {
    loop_->DropExpected();
    close(fd_);
    delete this;
  }

 private:
  const RefPtr<LoopContext> loop_;
  const int fd_;
  const api::PortRole role_;
  std::unique_ptr<net::TlsSession> tls_;
};

}  // namespace

Front::Front(const Services* services, int loop_count)
    : services_(services), loop_count_(loop_count) {}

Front::~Front() { PT_DCHECK(loops_.empty()); }

Status Front::Start(const std::vector<Endpoint>& endpoints) {
  Status status = OpenAll(endpoints);
  if (!status.ok()) {
    endpoints_.clear();
    loops_.clear();
    return status;
  }
  for (const auto& loop : loops_) loop->Start();
  Serve();
  return {};
}

Status Front::OpenAll(const std::vector<Endpoint>& endpoints) {
  for (int i = 0; i < loop_count_; ++i) {
    PT_ASSIGN_OR_RETURN(auto loop, LoopContext::Create(services_, "pt-loop-" + std::to_string(i)));
    loops_.push_back(std::move(loop));
  }
  for (const Endpoint& endpoint : endpoints) {
    const Status status = Open(endpoint);
    if (status.ok()) continue;
    return Status(status.code(), "failed to start " + std::string(endpoint.kind) +
                                     " service: " + std::string(CodeName(status.code())) + " - " +
                                     status.message());
  }
  return {};
}

Status Front::Open(const Endpoint& endpoint) {
  OpenEndpoint open;
  open.endpoint = endpoint;
  if (endpoint.tls) {
    PT_ASSIGN_OR_RETURN(open.tls, net::TlsCredentials::Open(*endpoint.tls, services_->logger));
  }
  PT_ASSIGN_OR_RETURN(open.listener, net::Listener::Open(endpoint.listen));
  endpoints_.push_back(std::move(open));
  return {};
}

void Front::Serve() {
  LoopContext* const first = loops_.front().get();
  for (OpenEndpoint& open : endpoints_) {
    net::Listener* const listener = open.listener.get();
    first->loop().PostFunction([this, first, listener, &open] {
      const Status status =
          listener->Start(&first->loop(), [this, &open](int fd) { Deal(fd, open); });
      if (!status.ok()) PT_LOG(services_->logger, kError, status.message());
    });
    PT_LOG(services_->logger, kInfo,
           "Started " + std::string(open.endpoint.service_name) + " at " + listener->name() +
               (open.tls != nullptr ? " with TLS" : ""));
  }
}

// On the first loop's driver.
void Front::Deal(int fd, const OpenEndpoint& open) {
  const RefPtr<LoopContext>* least = &loops_.front();
  for (const auto& loop : loops_) {
    if (loop->connection_count() < (*least)->connection_count()) least = &loop;
  }
  if (connection_count() >= services_->limits.max_connections) {
    if (open.tls == nullptr) {
      [[maybe_unused]] const ssize_t sent =
          send(fd, kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL);
    }
    close(fd);
    return;
  }
  std::unique_ptr<net::TlsSession> tls;
  if (open.tls != nullptr) {
    tls = open.tls->Current(loops_.front()->loop().now())->NewSession(fd, {});
    if (tls == nullptr) {  // no memory
      close(fd);
      return;
    }
  }
  auto* const task = new NewConnection(*least, fd, open.endpoint.role, std::move(tls));
  if ((*least)->IsDrivenHere()) {
    task->RunOnLoop();
  } else {
    (*least)->loop().Post(task);
  }
}

Status Front::Stop(TimePoint deadline) {
  if (loops_.empty()) return {};
  AwaitCallsUnderWay(deadline);
  CloseListeners();
  const bool is_drained = DrainConnections(deadline);
  for (const auto& loop : loops_) loop->Shutdown();
  loops_.clear();
  if (is_drained) return {};
  return Unavailable(
      "expected all requests under way to end within exit-timeout-secs, got some that "
      "had to be cancelled");
}

bool Front::AwaitCallsUnderWay(TimePoint deadline) {
  const auto latch = std::make_shared<Latch>(static_cast<int>(loops_.size()));
  for (const auto& loop : loops_) {
    loop->AwaitCallsUnderWay([latch] { latch->CountDown(); });
  }
  return latch->WaitUntil(deadline);
}

void Front::CloseListeners() {
  const auto latch = std::make_shared<Latch>(1);
  loops_.front()->loop().PostFunction([this, latch] {
    for (OpenEndpoint& open : endpoints_) open.listener->Close();
    latch->CountDown();
  });
  latch->WaitUntil(kNoDeadline);
}

bool Front::DrainConnections(TimePoint deadline) {
  const auto latch = std::make_shared<Latch>(static_cast<int>(loops_.size()));
  for (const auto& loop : loops_) {
    LoopContext* const context = loop.get();
    context->loop().PostFunction(
        [context, latch] { context->DrainConnections([latch] { latch->CountDown(); }); });
  }
  // A deadline that has passed still leaves idle connections the moment it takes to close them.
  const TimePoint soon = std::chrono::steady_clock::now() + kLastWords;
  if (latch->WaitUntil(std::max(deadline, soon))) return true;
  for (const auto& loop : loops_) {
    LoopContext* const context = loop.get();
    context->loop().PostFunction(
        [context] { context->FailCalls("the server stops: exit-timeout-secs has passed"); });
  }
  latch->WaitUntil(std::chrono::steady_clock::now() + kLastWords);
  return false;
}

int64_t Front::connection_count() const {
  int64_t total = 0;
  for (const auto& loop : loops_) total += loop->connection_count();
  return total;
}

int Front::port(api::PortRole role) const {
  for (const OpenEndpoint& open : endpoints_) {
    if (open.endpoint.role == role && open.listener->port() != 0) return open.listener->port();
  }
  return 0;
}

}  // namespace pt::server
