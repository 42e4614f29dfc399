#include "net/tls_credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "net/tls_kit.h"

namespace pt::net {
namespace {

namespace fs = std::filesystem;

class TlsCredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("pytriton_tls_" + std::to_string(getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    LogOptions options;
    options.file = folder_ / "log";
    logger_ = std::move(*Logger::Create(options));
    Write("cert", first_.CertificatePem());
    Write("key", first_.KeyPem());
    Write("roots", first_.CertificatePem());
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Renames it into place, as whoever renews certificates does.
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / "new") << text;
    fs::rename(folder_ / "new", folder_ / name);
  }
  TlsFiles Files() const {
    return {{"--cert", folder_ / "cert"},
            {"--key", folder_ / "key"},
            TlsFile{"--roots", folder_ / "roots"}};
  }
  std::string Refusal() {
    const auto made = TlsCredentials::Open(Files(), logger_.get());
    return made.ok() ? "" : made.status().message();
  }
  std::string LogText() {
    logger_->Flush();
    std::ostringstream text;
    text << std::ifstream(folder_ / "log").rdbuf();
    return text.str();
  }
  int CountInLog(const std::string& words) {
    const std::string text = LogText();
    int count = 0;
    for (size_t at = 0; (at = text.find(words, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  std::string In(const char* name) const { return ", in " + (folder_ / name).string(); }

  fs::path folder_;
  std::unique_ptr<Logger> logger_;
  const TlsTestPair first_ = MakeTestPair({});
  const TlsTestPair second_ = MakeTestPair({});
};

TEST_F(TlsCredentialsTest, TakesGoodFiles) {
  EXPECT_EQ(Refusal(), "");
  EXPECT_EQ(LogText(), "");
  // Certificate and key may share a file, and a chain may follow.
  Write("cert", first_.CertificatePem() + second_.CertificatePem() + first_.KeyPem());
  EXPECT_EQ(Refusal(), "");
}

TEST_F(TlsCredentialsTest, SaysWhichFileIsWrongAndWhy) {
  const std::string cut = first_.CertificatePem().substr(0, 200);
  const struct {
    const char* file;
    std::string text;
    std::string refusal;
  } kRows[] = {
      {"cert", "", "--cert: expected PEM text, got an empty file"},
      {"cert", "hello", "--cert: expected a certificate as PEM text, got: no start line"},
      {"cert", first_.KeyPem(), "--cert: expected a certificate as PEM text, got: no start line"},
      {"cert", cut, "--cert: expected a certificate as PEM text, got: "},
      {"cert", first_.CertificatePem() + cut, "--cert: expected certificates as PEM text, got: "},
      {"cert", std::string((1 << 20) + 1, ' '), "--cert: expected at most 1 MiB, got more"},
      {"key", "hello", "--key: expected a private key as PEM text, got: "},
      {"key", first_.CertificatePem(), "--key: expected a private key as PEM text, got: "},
      {"key", second_.KeyPem(), "--key: expected the key of the server's certificate, got another"},
      {"key", first_.EncryptedKeyPem(),
       "--key: expected a private key without a passphrase, got an encrypted one"},
      {"roots", "hello", "--roots: expected certificates as PEM text, got: "},
      {"roots", first_.CertificatePem() + cut, "--roots: expected certificates as PEM text, got: "},
  };
  for (const auto& row : kRows) {
    SetUp();
    Write(row.file, row.text);
    const std::string refusal = Refusal();
    EXPECT_TRUE(refusal.starts_with(row.refusal)) << refusal;
    EXPECT_TRUE(refusal.ends_with(In(row.file))) << refusal;
  }
}

TEST_F(TlsCredentialsTest, SaysWhichFileIsMissing) {
  for (const char* name : {"cert", "key", "roots"}) {
    SetUp();
    fs::remove(folder_ / name);
    EXPECT_EQ(Refusal(), "--" + std::string(name) +
                             ": expected a readable file, got: No such file or directory" +
                             In(name));
    fs::create_directory(folder_ / name);
    EXPECT_EQ(Refusal(),
              "--" + std::string(name) + ": expected a file, got something else" + In(name));
    fs::remove(folder_ / name);
    ASSERT_EQ(mkfifo((folder_ / name).c_str(), 0600), 0);  // nobody waits for a writer
    EXPECT_EQ(Refusal(),
              "--" + std::string(name) + ": expected a file, got something else" + In(name));
    fs::remove(folder_ / name);
  }
}

TEST_F(TlsCredentialsTest, WarnsOfACertificateThatIsNotValidNow) {
  const TlsTestPair old = MakeTestPair({.days_from = -10, .days_to = -2});
  Write("cert", old.CertificatePem());
  Write("key", old.KeyPem());
  EXPECT_EQ(Refusal(), "");
  EXPECT_EQ(CountInLog("got one that expired on "), 1);
  const TlsTestPair early = MakeTestPair({.days_from = 2, .days_to = 9});
  Write("cert", early.CertificatePem());
  Write("key", early.KeyPem());
  EXPECT_EQ(Refusal(), "");
  EXPECT_EQ(CountInLog("got one that is not valid before "), 1);
}

TEST_F(TlsCredentialsTest, ReadsChangedFilesAgain) {
  auto made = TlsCredentials::Open(Files(), logger_.get());
  ASSERT_TRUE(made.ok());
  TlsCredentials& credentials = **made;
  TimePoint now{std::chrono::hours(1)};
  const auto* const before = credentials.Current(now).get();
  Write("key", second_.KeyPem());
  EXPECT_EQ(credentials.Current(now + std::chrono::milliseconds(999)).get(), before);
  EXPECT_EQ(LogText(), "");  // not even looked at
  // The key does not fit as long as the certificate is the old one: said once.
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(credentials.Current(now += std::chrono::seconds(1)).get(), before);
  }
  EXPECT_EQ(CountInLog("the certificate was not renewed, the last one stays: --key: "), 1);
  Write("cert", second_.CertificatePem());
  EXPECT_NE(credentials.Current(now += std::chrono::seconds(1)).get(), before);
  EXPECT_EQ(CountInLog("was read again"), 1);
  // Gone altogether, and back.
  fs::remove(folder_ / "cert");
  const auto* const second = credentials.Current(now += std::chrono::seconds(1)).get();
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(CountInLog("No such file"), 1);
  Write("cert", second_.CertificatePem());
  EXPECT_NE(credentials.Current(now += std::chrono::seconds(1)).get(), second);
  EXPECT_EQ(CountInLog("was read again"), 2);
}

TEST_F(TlsCredentialsTest, FindsItsFilesWhereverTheProcessGoes) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  auto made =
      TlsCredentials::Open({{"--cert", "cert"}, {"--key", "key"}, std::nullopt}, logger_.get());
  fs::current_path(before);
  ASSERT_TRUE(made.ok());
  const TimePoint now{std::chrono::hours(1)};
  EXPECT_NE((*made)->Current(now), nullptr);
  EXPECT_EQ(LogText(), "");
}

TEST_F(TlsCredentialsTest, NoticesNewRoots) {
  auto made = TlsCredentials::Open(Files(), logger_.get());
  ASSERT_TRUE(made.ok());
  const TimePoint now{std::chrono::hours(1)};
  const auto* const before = (*made)->Current(now).get();
  Write("roots", second_.CertificatePem());
  EXPECT_NE((*made)->Current(now + std::chrono::seconds(1)).get(), before);
}

}  // namespace
}  // namespace pt::net
