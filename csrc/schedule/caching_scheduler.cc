#include "schedule/caching_scheduler.h"

#include <string>
#include <utility>

namespace pt::schedule {
namespace {

// Keeps what the model answers, on its way to the client.
class StoringResponder final : public Responder {
 public:
  StoringResponder(RefPtr<Responder> client, std::string key, ResponseCache* cache,
                   const Clock* clock, ModelStats* stats)
      : client_(std::move(client)),
        key_(std::move(key)),
        cache_(cache),
        clock_(clock),
        stats_(stats) {}

  // The client's end of the call is still the one that is cancelled. The reference in the observer
  // goes with the final answer, which every request gets.
  void FollowClient() {
    client_->OnCancel([self = RefPtr<StoringResponder>(this)] { self->Cancel(); });
  }

  void Send(InferResponse&& response, Finality finality) override {
    if (finality == Finality::kFinal) {
      client_->OnCancel({});
      if (response.status.ok()) Store(response);
    }
    client_->Send(std::move(response), finality);
  }

 private:
  void Store(const InferResponse& response) {
    const TimePoint start = clock_->Now();
    cache_->Insert(std::move(key_), response);
    const Duration taken = clock_->Now() - start;
    cache_->AddInsertionTime(taken);
    stats_->AddCacheMiss(0, taken);
  }

  const RefPtr<Responder> client_;
  std::string key_;
  ResponseCache* const cache_;
  const Clock* const clock_;
  ModelStats* const stats_;
};

}  // namespace

CachingScheduler::CachingScheduler(Model* model, const Clock* clock, ResponseCache* cache,
                                   std::unique_ptr<Scheduler> behind)
    : model_(model), clock_(clock), cache_(cache), behind_(std::move(behind)) {}

void CachingScheduler::Submit(RequestList&& requests, LoopHost* host) {
  RequestList missed;
  for (RequestPtr& request : requests) {
    if (!AnswerFromCache(request.get())) missed.push_back(std::move(request));
  }
  requests.clear();
  if (!missed.empty()) behind_->Submit(std::move(missed), host);
}

bool CachingScheduler::AnswerFromCache(InferRequest* request) {
  if (request->is_cancelled()) return false;
  const TimePoint start = clock_->Now();
  std::optional<std::string> key = cache_->KeyOf(*request);
  if (!key) return false;
  std::optional<InferResponse> known = cache_->Find(*key);
  const TimePoint now = clock_->Now();
  cache_->AddLookupTime(now - start);
  if (!known) {
    model_->stats().AddCacheMiss(1, now - start);
    auto storing = MakeRef<StoringResponder>(RefPtr<Responder>(&request->responder()),
                                             std::move(*key), cache_, clock_, &model_->stats());
    storing->FollowClient();
    request->AnswerTo(std::move(storing));
    return false;
  }
  // Before the answer, so that a client that has it sees it counted; nobody else counts.
  model_->stats().AddCacheHit(start - request->arrival, now - start, now - request->arrival);
  request->EnterBatch();
  request->Respond(std::move(*known), Finality::kFinal);
  return true;
}

}  // namespace pt::schedule
