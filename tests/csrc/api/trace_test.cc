// Traces of requests, from the REST edge to a file.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "api/otlp_spans.h"
#include "api/rest_peer.h"
#include "api/trace_context.h"
#include "api/trace_file.h"
#include "api/tracer.h"
#include "wire/json_reader.h"

namespace pt::api {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContextTest, TakesWhatTheRulesAllow) {
  const std::string parent(kParent);
  const struct {
    std::string text;
    bool is_good;
  } kRows[] = {
      {parent, true},
      {parent.substr(0, 54), false},
      {parent + "-x", false},                  // version 00 is as long as that
      {"01" + parent.substr(2) + "-x", true},  // a later one may say more
      {"01" + parent.substr(2) + "x", false},
      {"ff" + parent.substr(2), false},
      {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
      {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
      {"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
      {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false},
      {"", false},
  };
  for (const auto& row : kRows) {
    const TraceContext context = ParseTraceContext(row.text, "a=b");
    EXPECT_EQ(context.span_id != 0, row.is_good) << row.text;
    EXPECT_EQ(context.state, row.is_good ? "a=b" : "") << row.text;
  }
  const TraceContext context = ParseTraceContext(kParent, "");
  EXPECT_EQ(WriteTraceParent(context, context.span_id), kParent);
  EXPECT_TRUE(context.is_sampled);
  EXPECT_FALSE(ParseTraceContext(parent.substr(0, 53) + "00", "").is_sampled);
  EXPECT_EQ(ParseTraceContext(kParent, "a=\n").state, "");
}

// Keeps traces as spans.
class KeepSpans final : public TraceSink {
 public:
  explicit KeepSpans(std::string* spans) : spans_(spans) {}
  void Write(std::vector<std::unique_ptr<Trace>> traces) override {
    *spans_ += SpansToJson(traces, {"team=a"}, "1");
  }

 private:
  std::string* const spans_;
};

class TraceTest : public ::testing::Test {
 protected:
  TraceTest() : folder_(std::filesystem::temp_directory_path() / Name()) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~TraceTest() override { std::filesystem::remove_all(folder_); }

  static std::string Name() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    return "pt_trace_" + std::string(info->name()) + std::to_string(getpid());
  }

  TraceOptions Options() const {
    TraceOptions options;
    options.file = (folder_ / "t.json").string();
    options.values.rate = 1;
    options.values.level = {true, true};
    return options;
  }

  void Open(const TraceOptions& options) {
    Open(options, std::make_unique<TraceFile>(options.file, nullptr));
  }
  void Open(const TraceOptions& options, std::unique_ptr<TraceSink> sink) {
    tracer_ = std::make_unique<Tracer>(options, std::move(sink), nullptr);
    peer_ = std::make_unique<RestPeer>();
    peer_->service.AllowTracing(tracer_.get());
    const TensorSpec spec = Spec("A", DataType::kFp32, {-1});
    ASSERT_TRUE(peer_->repository.AddModel(EchoConfig("m", {spec}, 4), nullptr).ok());
  }

  void Ask(std::vector<HeaderView> headers = {}) {
    PeerCall call;
    call.target = "/v2/models/m/infer";
    call.body =
        "{\"id\":\"r\xff\",\"inputs\":[{\"name\":\"A\",\"datatype\":\"FP32\",\"shape\":[1,2],"
        "\"data\":[1,2.5]}]}";
    call.headers = std::move(headers);
    ASSERT_EQ(peer_->Do(call)->head.status, 200);
    ASSERT_TRUE(tracer_->Flush(std::chrono::steady_clock::now() + std::chrono::minutes(1)));
  }

  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    std::stringstream text;
    text << file.rdbuf();
    wire::JsonDocument document(10);
    EXPECT_TRUE(document.Parse(text.str()).ok()) << name << ": " << text.str();
    return text.str();
  }

  bool Exists(const std::string& name) const { return std::filesystem::exists(folder_ / name); }

  const std::filesystem::path folder_;
  std::unique_ptr<Tracer> tracer_;  // outlives the peer's requests
  std::unique_ptr<RestPeer> peer_;
};

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST_F(TraceTest, WritesMomentsAndTensorsOfARequest) {
  Open(Options());
  Ask();
  const std::string text = Read("t.json");
  EXPECT_EQ(text.find(R"([{"id":1,"model_name":"m","model_version":1,"request_id":"r)"), 0u);
  for (const char* name :
       {"HTTP_RECV_START", "HTTP_RECV_END", "REQUEST_START", "QUEUE_START",
        "INFER_RESPONSE_COMPLETE", "REQUEST_END", "HTTP_SEND_START", "HTTP_SEND_END"}) {
    EXPECT_EQ(Count(text, std::string("\"") + name + "\""), 1u) << name;
  }
  const std::string tensor =
      R"("tensor":{"name":"A","data":"1.0,2.5","shape":"1,2","dtype":"FP32"}})";
  EXPECT_NE(text.find(R"({"id":1,"activity":"TENSOR_QUEUE_INPUT",)" + tensor), std::string::npos);
  EXPECT_NE(text.find(R"({"id":1,"activity":"TENSOR_BACKEND_OUTPUT",)" + tensor),
            std::string::npos);
  EXPECT_EQ(text.find('\xff'), std::string::npos) << "a trace is UTF-8, whatever a client sent";
}

TEST(TraceJsonTest, WritesTheElementsOfEveryType) {
  const struct {
    DataType type;
    std::string bytes;
    const char* data;  // as JSON
  } kRows[] = {
      {DataType::kFp16, std::string("\x00\x3c\x00\xc1\x01\x00\x00\x7c", 8),
       "1.0,-2.5,5.960464477539063e-8,Infinity"},
      {DataType::kBf16, std::string("\xc0\x3f\x80\xbf", 4), "1.5,-1.0"},
      {DataType::kInt8, "\xff\x01", "-1,1"},
      {DataType::kBool, std::string("\x01\x00", 2), "true,false"},
      {DataType::kBytes, std::string("\x01\x00\x00\x00\xff", 5), "\\\"\xef\xbf\xbd\\\""},
      {DataType::kBytes, std::string("\x09\x00\x00\x00z", 5), ""},
  };
  for (const auto& row : kRows) {
    Trace trace(TraceSubject(), nullptr);
    TensorView tensor{row.type, Shape{2}, Slice::Copy(row.bytes)};
    trace.AddTensor(TraceActivity::kBackendOutput, "y", tensor);
    const std::string text = TraceToJson(&trace);
    const std::string expected = std::string("\"data\":\"") + row.data + "\"";
    EXPECT_NE(text.find(expected), std::string::npos) << text;
  }
}

TEST_F(TraceTest, TheFileIsWholeAfterEveryWrite) {
  Open(Options());
  for (int i = 1; i <= 3; ++i) {
    Ask();
    EXPECT_EQ(Count(Read("t.json"), "\"model_name\""), static_cast<size_t>(i));
  }
}

TEST_F(TraceTest, ALogFrequencyDividesTracesAmongFiles) {
  TraceOptions options = Options();
  options.values.log_frequency = 2;
  Open(options);
  for (int i = 0; i < 3; ++i) Ask();
  EXPECT_EQ(Count(Read("t.json.0"), "\"model_name\""), 2u);
  EXPECT_EQ(Count(Read("t.json.1"), "\"model_name\""), 1u);
  EXPECT_FALSE(Exists("t.json"));
}

TEST_F(TraceTest, ACompleteCountGetsAFileOfItsOwn) {
  TraceOptions options = Options();
  options.values.count = 2;
  Open(options);
  for (int i = 0; i < 4; ++i) Ask();
  EXPECT_EQ(Count(Read("t.json.0"), "\"model_name\""), 2u);
  EXPECT_FALSE(Exists("t.json"));
  TraceUpdate again;
  again.count = {Change::kSet, 1};
  ASSERT_TRUE(tracer_->settings().Update("", again).ok());
  Ask();
  EXPECT_EQ(Count(Read("t.json.1"), "\"model_name\""), 1u);
}

TEST_F(TraceTest, AFileThatCantBeOpenedDropsTraces) {
  TraceOptions options = Options();
  options.file = (folder_ / "none" / "t.json").string();
  Open(options);
  Ask();
  EXPECT_FALSE(Exists("none"));
}

TEST_F(TraceTest, SpansGoOnFromTheClients) {
  TraceOptions options = Options();
  options.mode = TraceMode::kOpenTelemetry;
  options.values.rate = 1000;
  std::string spans;
  Open(options, std::make_unique<KeepSpans>(&spans));
  Ask();
  EXPECT_EQ(spans, "") << "not its turn";
  const std::string unsampled = std::string(kParent.substr(0, 53)) + "00";
  Ask({{"traceparent", unsampled}});
  EXPECT_EQ(spans, "") << "the client does not trace it";
  Ask({{"traceparent", kParent}, {"tracestate", "a=b"}});
  wire::JsonDocument document(20);
  ASSERT_TRUE(document.Parse(spans).ok()) << spans;
  EXPECT_EQ(Count(spans, "\"traceId\":\"" + std::string(kTrace) + "\""), 2u)
      << "nothing was computed here: no span of that";
  EXPECT_EQ(Count(spans, R"("parentSpanId":"b7ad6b7169203331")"), 1u);
  EXPECT_EQ(Count(spans, R"("traceState":"a=b")"), 2u);
  EXPECT_EQ(Count(spans, R"({"key":"team","value":{"stringValue":"a"}})"), 1u);
}

TEST_F(TraceTest, NothingIsTracedWhileOff) {
  TraceOptions options = Options();
  options.values.level = {};
  Open(options);
  Ask();
  EXPECT_FALSE(Exists("t.json"));
  EXPECT_EQ(peer_->service.ActiveTracer(), nullptr);
}

}  // namespace
}  // namespace pt::api
