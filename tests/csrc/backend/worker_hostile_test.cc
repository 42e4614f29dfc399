// What a worker may write into the memory that it shares with the server: anything.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <random>

#include "backend/worker_asks.h"
#include "backend/worker_flights.h"
#include "backend/worker_ring.h"
#include "backend/worker_rows.h"
#include "base/shared_region.h"
#include "infer/fakes.h"

namespace pt::backend {
namespace {

using testing::FakeResponder;
using testing::Spec;

constexpr size_t kMappedRing = (size_t{128} << 10) + 2 * WorkerRing::kRingBytes;
constexpr size_t kResults = size_t{1} << 30;

std::shared_ptr<WorkerRing> MakeRing() {
  auto ring = WorkerRing::Create();
  EXPECT_TRUE(ring.ok());
  return std::move(*ring);
}

// The ring as a worker maps it.
class Intruder {
 public:
  explicit Intruder(const WorkerRing& ring)
      : bytes_(static_cast<char*>(
            mmap(nullptr, kMappedRing, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd(), 0))) {}
  ~Intruder() { munmap(bytes_, kMappedRing); }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

  // Random bytes, most of them in the words that both sides read.
  void Scribble(std::mt19937* random) {
    for (int i = 0; i < 40; ++i) {
      const size_t range = (*random)() % 4 == 0 ? kMappedRing : 256;
      bytes_[(*random)() % range] = static_cast<char>((*random)());
    }
    // Now and then a plausible tail, so that what lies in the ring is read.
    auto* words = reinterpret_cast<uint32_t*>(bytes_);
    if ((*random)() % 2 == 0) words[32] = words[48] + (*random)() % 4096 / 8 * 8;
  }

 private:
  char* const bytes_;
};

TEST(WorkerHostileTest, ARingOfGarbageIsReadAndWrittenWithoutHarm) {
  std::mt19937 random(7);
  int broken = 0;
  for (int round = 0; round < 300; ++round) {
    const auto ring = MakeRing();
    Intruder intruder(*ring);
    for (int step = 0; step < 20; ++step) {
      intruder.Scribble(&random);
      ring->Write(ToWorker::kBatch, false, std::string(random() % 3000, 'x'));
      uint32_t type = 0;
      std::string payload;
      WorkerRing::ReadResult result = WorkerRing::ReadResult::kMessage;
      for (int i = 0; i < 1000 && result == WorkerRing::ReadResult::kMessage; ++i) {
        result = ring->Read(&type, &payload);
      }
      broken += result == WorkerRing::ReadResult::kBroken;
      ring->FreeSlot(static_cast<uint32_t>(random()));
      ring->SetCancelled(static_cast<uint32_t>(random()), true);
      ring->BeginReading();
      ring->WaitForMessage(std::chrono::microseconds(1));
      ring->EndReading();
    }
  }
  EXPECT_GT(broken, 100);  // else this test tests nothing
}

class HostileMessages : public ::testing::Test {
 protected:
  HostileMessages() {
    auto region = SharedRegion::Create("pool", kResults, SharedRegion::Access::kReadWrite);
    auto results = SharedRegion::Create("results", kResults, SharedRegion::Access::kRead);
    EXPECT_TRUE(region.ok() && results.ok());
    pool_ = std::make_unique<BlockPool>(size_t{64} << 20, *region);
    results_ = *results;
    ring_ = MakeRing();
    loans_ = std::make_shared<WorkerLoans>(pool_.get());
    flights_ = std::make_unique<WorkerFlights>(ring_, results_, loans_, pool_.get(), "m_0");
    config_.name = "m";
    config_.inputs.push_back(Spec("X", DataType::kFp32, Shape{-1}));
    config_.outputs.push_back(Spec("Y", DataType::kFp32, Shape{-1}));
    config_.outputs.push_back(Spec("S", DataType::kBytes, Shape{-1}));
    model_ = std::make_unique<Model>(config_, 1);
    model_->Attach(nullptr, std::make_unique<testing::FakeScheduler>(&log_));
  }
  ~HostileMessages() override {
    flights_.reset();
    log_.kept.clear();
    model_.reset();
    EXPECT_EQ(pool_->live_blocks(), 0u);
  }

  RequestPtr Request() {
    auto request = std::make_unique<InferRequest>(model_->Acquire(), responder_);
    InputTensor& input = request->inputs.emplace_back();
    input.tensor.type = DataType::kFp32;
    input.tensor.shape = Shape{8192};
    input.tensor.data = Slice::Copy(std::string(32768, 'x'));  // large enough to be lent
    return request;
  }

  // A batch of one with the worker; the message that an honest worker would answer with.
  std::string Enter(uint32_t sequence, Place place) {
    Batch batch;
    batch.requests.push_back(Request());
    batch.responses.resize(1);
    MessageWriter sent;
    EXPECT_TRUE(flights_->Enter(sequence, &batch, false, &sent).ok());
    MessageReader in(sent.bytes());
    in.Get<uint32_t>();
    in.Get<uint32_t>();
    const auto key = in.Get<uint64_t>();
    MessageWriter answer;
    answer.Put(uint32_t{1}).Put(key).Put(uint8_t{1}).Put(uint8_t{0}).Put(uint16_t{1});
    answer.Put(uint16_t{0}).Put(uint16_t{0}).Put(uint32_t{0});
    TensorRecord tensor;
    tensor.type = DataType::kFp32;
    tensor.shape = Shape{16};
    tensor.place = place;
    tensor.number = 1;
    tensor.size = 64;
    const std::string bytes(64, 'y');
    if (place == Place::kInline) tensor.bytes = bytes;
    PutTensor(tensor, &answer);
    return answer.bytes();
  }

  // Touches all that came, as an encoder would.
  void TouchAnswers() {
    for (const FakeResponder::Sent& sent : responder_->sent) {
      for (const OutputTensor& output : sent.response.outputs) {
        for (const char byte : output.tensor.data.view()) sum_ += static_cast<unsigned char>(byte);
      }
    }
    responder_->sent.clear();
  }

  std::unique_ptr<BlockPool> pool_;
  std::shared_ptr<SharedRegion> results_;
  std::shared_ptr<WorkerRing> ring_;
  std::shared_ptr<WorkerLoans> loans_;
  std::unique_ptr<WorkerFlights> flights_;
  testing::SchedulerLog log_;
  ModelConfig config_;
  std::unique_ptr<Model> model_;
  RefPtr<FakeResponder> responder_ = MakeRef<FakeResponder>();
  uint64_t sum_ = 0;
};

TEST_F(HostileMessages, AlteredResponsesReachOnlyMemoryThatIsTheirs) {
  std::mt19937 random(11);
  constexpr std::array kPlaces = {Place::kInline, Place::kResponse, Place::kInput};
  int refused = 0;
  int taken = 0;
  for (uint32_t round = 1; round <= 6000; ++round) {
    std::string message = Enter(round, kPlaces[round % kPlaces.size()]);
    const size_t flips = random() % 4;
    for (size_t i = 0; i < flips; ++i) {
      message[random() % message.size()] = static_cast<char>(random() % 3 == 0 ? 0xFF : random());
    }
    if (random() % 8 == 0) message.resize(random() % message.size());
    (flights_->OnResponses(message) ? taken : refused) += 1;
    TouchAnswers();
    flights_->OnReturnInputs(message);
    flights_->OnRelease(random());
    flights_->FailAll(round, "gone");
    responder_->sent.clear();
  }
  EXPECT_GT(taken, 1000);
  EXPECT_GT(refused, 1000);
}

TEST_F(HostileMessages, OffsetsOutsideAreRefused) {
  uint32_t sequence = 0;
  for (const Place place : {Place::kResponse, Place::kInput}) {
    for (const uint64_t offset : {uint64_t{kResults}, uint64_t{kResults} - 60, uint64_t{32768 - 60},
                                  UINT64_MAX - 8, uint64_t{1} << 63}) {
      if (place == Place::kResponse && offset < kResults - 64) continue;
      std::string message = Enter(++sequence, place);
      const size_t at = message.size() - 8 - 8 - 8;  // before size and one dimension
      message.replace(at, 8, reinterpret_cast<const char*>(&offset), 8);
      EXPECT_FALSE(flights_->OnResponses(message)) << offset;
    }
  }
  flights_->FailAll(sequence, "gone");
}

TEST_F(HostileMessages, RowsMustBeWholeAndOfTensorsInTheMessage) {
  const auto as_rows = [](std::string message, uint32_t count) {
    count |= kRows;
    message.replace(0, 4, reinterpret_cast<const char*>(&count), 4);
    return message;
  };
  const std::string row(8 + 64, '\0');
  const std::string inline_message = Enter(1, Place::kInline);
  EXPECT_TRUE(flights_->OnResponses(as_rows(inline_message, 3) + row + row));
  EXPECT_FALSE(flights_->OnResponses(as_rows(inline_message, 3) + row + row.substr(1)));
  EXPECT_FALSE(flights_->OnResponses(as_rows(inline_message, 0x7FFFFFFF) + row));
  EXPECT_FALSE(flights_->OnResponses(as_rows(Enter(2, Place::kResponse), 2) + row));
  std::string nothing = inline_message.substr(0, 24);  // a response without outputs
  nothing.replace(14, 2, 2, '\0');
  EXPECT_FALSE(flights_->OnResponses(as_rows(nothing, 0x7FFFFFFF) + std::string(800, '\0')));
  flights_->FailAll(2, "gone");
  TouchAnswers();
}

TEST_F(HostileMessages, QuestionsOfGarbageAreRefusedOrAnswered) {
  auto monitor = WorkerMonitor::Create();
  ASSERT_TRUE(monitor.ok());
  const auto asks = std::make_shared<WorkerAsks>(nullptr, monitor->get(), loans_, "m_0");
  std::mt19937 random(13);
  int refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string message(random() % 200, '\0');
    for (char& byte : message) byte = static_cast<char>(random() % 2 == 0 ? 0 : random());
    refused += !asks->OnCall(message);
    refused += !asks->OnMetrics(message);
    refused += !asks->OnCancel(message);
    refused += !asks->OnSubmit(message, [&](const TensorRecord& tensor, bool* is_sound) {
      return flights_->ToSlice(tensor, is_sound);
    });
  }
  EXPECT_GT(refused, 6000);
  asks->Close();
}

}  // namespace
}  // namespace pt::backend
