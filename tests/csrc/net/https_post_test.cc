#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "net/http_post.h"
#include "net/tls_credentials.h"
#include "net/tls_kit.h"

namespace pt::net {
namespace {

constexpr std::chrono::seconds kPatience(30);

// Takes one connection and answers it, with TLS when it is given a certificate.
class OneAnswer {
 public:
  explicit OneAnswer(const TlsTestPair* certificate)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), any, size), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    EXPECT_EQ(getsockname(listener_.get(), any, &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, certificate] { Serve(certificate); });
  }
  ~OneAnswer() { thread_.join(); }

  HttpUrl Url(const std::string& host) const {
    return *HttpUrl::Parse("https://" + host + ":" + port_ + "/v1/traces");
  }
  const std::string& request() {
    thread_.join();
    thread_ = std::thread([] {});
    return request_;
  }

 private:
  void Serve(const TlsTestPair* certificate) {
    const int fd =
        accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);  // blocks, as its client
    if (certificate == nullptr) {
      char byte = 0;
      recv(fd, &byte, 1, 0);
      const std::string answer = "HTTP/1.1 400 Bad Request\r\n\r\n";
      send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(fd);
      return;
    }
    TlsPeer peer(TlsPeer::Side::kServer, fd, nullptr, certificate);
    if (!peer.Shake()) return;
    char part[4096];
    while (!request_.ends_with("the spans")) {
      const int got = SSL_read(peer.ssl(), part, sizeof(part));
      if (got <= 0) return;
      request_.append(part, static_cast<size_t>(got));
    }
    peer.Write("HTTP/1.1 200 OK\r\n\r\n");
  }

  UniqueFd listener_;
  std::string port_;
  std::string request_;
  std::thread thread_;
};

class HttpsPostTest : public ::testing::Test {
 protected:
  // Whom the client believes.
  static std::shared_ptr<const TlsContext> Believing(const TlsTestPair& authority) {
    const std::string path = ::testing::TempDir() + "/pytriton_roots_" + std::to_string(getpid());
    std::ofstream(path) << authority.CertificatePem();
    auto made = LoadTlsTrust({"--roots", path});
    std::filesystem::remove(path);
    EXPECT_TRUE(made.ok());
    return made.ok() ? *made : nullptr;
  }
  static Result<int> Post(const HttpUrl& url, const TlsContext* tls,
                          Duration patience = kPatience) {
    return HttpPost(url, "text/plain", "the spans", std::chrono::steady_clock::now() + patience,
                    tls);
  }
  static std::string Failure(const HttpUrl& url, const TlsContext* tls) {
    const Result<int> status = Post(url, tls);
    return status.ok() ? "" : status.status().message();
  }

  const TlsTestPair authority_ = MakeTestPair({.name = "authority"});
  const TlsTestPair server_ = MakeTestPair({.by = &authority_});
};

TEST_F(HttpsPostTest, PostsToAServerThatProvesItsName) {
  const auto tls = Believing(authority_);
  for (const char* host : {"localhost", "127.0.0.1"}) {
    OneAnswer server(&server_);
    const Result<int> status = Post(server.Url(host), tls.get());
    ASSERT_TRUE(status.ok()) << status.status().message();
    EXPECT_EQ(*status, 200);
    EXPECT_TRUE(server.request().starts_with("POST /v1/traces HTTP/1.1\r\n"));
  }
}

TEST_F(HttpsPostTest, SaysWhyAServerCanNotBeVerified) {
  const TlsTestPair other = MakeTestPair({.name = "other"});
  const TlsTestPair old = MakeTestPair({.by = &authority_, .days_from = -9, .days_to = -2});
  const TlsTestPair elsewhere = MakeTestPair({.name = "elsewhere", .by = &authority_});
  const struct {
    const TlsTestPair* authority;
    const TlsTestPair* server;
    const char* why;
  } kRows[] = {
      {&other, &server_, "unable to get local issuer certificate"},
      {&authority_, &old, "certificate has expired"},
      {&authority_, &elsewhere, "hostname mismatch"},
  };
  for (const auto& row : kRows) {
    OneAnswer server(row.server);
    const std::string failure = Failure(server.Url("localhost"), Believing(*row.authority).get());
    EXPECT_TRUE(failure.ends_with("TLS failed: certificate verify failed: " + std::string(row.why)))
        << failure;
    EXPECT_EQ(server.request(), "");
  }
}

TEST_F(HttpsPostTest, BelievesTheSystemWithoutAFile) {
  const auto tls = LoadTlsTrust({});
  ASSERT_TRUE(tls.ok());
  OneAnswer server(&server_);  // signed by nobody the system knows
  EXPECT_NE(Failure(server.Url("localhost"), tls->get()).find("certificate verify failed"),
            std::string::npos);
}

TEST_F(HttpsPostTest, SaysThatAServerSpeaksClearText) {
  OneAnswer server(nullptr);
  const std::string failure = Failure(server.Url("localhost"), Believing(authority_).get());
  EXPECT_TRUE(failure.ends_with("TLS failed: wrong version number")) << failure;
}

TEST_F(HttpsPostTest, KeepsItsDeadlineInTheHandshake) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), any, size), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);  // the kernel takes connections, nobody answers
  ASSERT_EQ(getsockname(listener.get(), any, &size), 0);
  const auto url =
      HttpUrl::Parse("https://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/");
  const Result<int> status = Post(*url, Believing(authority_).get(), std::chrono::milliseconds(50));
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(status.status().message().ends_with("TLS was not set up in time"));
}

}  // namespace
}  // namespace pt::net
