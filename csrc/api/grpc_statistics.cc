// Model statistics over gRPC (spec/triton-frontend 7).

#include "api/grpc_control.h"
#include "api/grpc_protobuf.h"
#include "wire/proto/control.pb.h"

namespace pt::api {
namespace {

void Fill(const DurationStat& stat, inference::StatisticDuration* duration) {
  duration->set_count(stat.count);
  duration->set_ns(stat.ns);
}

void FillInference(const StatsSnapshot& stats, inference::InferStatistics* answer) {
  Fill(stats.success, answer->mutable_success());
  Fill(stats.fail, answer->mutable_fail());
  Fill(stats.queue, answer->mutable_queue());
  Fill(stats.compute_input, answer->mutable_compute_input());
  Fill(stats.compute_infer, answer->mutable_compute_infer());
  Fill(stats.compute_output, answer->mutable_compute_output());
  Fill(stats.cache_hit, answer->mutable_cache_hit());
  Fill(stats.cache_miss, answer->mutable_cache_miss());
}

void FillModel(const Model& model, inference::ModelStatistics* answer) {
  const StatsSnapshot stats = model.stats().Snapshot();
  answer->set_name(model.name());
  answer->set_version(model.version_text());
  answer->set_last_inference(stats.last_inference_ms);
  answer->set_inference_count(stats.inference_count);
  answer->set_execution_count(stats.execution_count);
  FillInference(stats, answer->mutable_inference_stats());
  for (const auto& [size, batch] : stats.batches) {
    auto* batch_answer = answer->add_batch_stats();
    batch_answer->set_batch_size(size);
    Fill(batch.compute_input, batch_answer->mutable_compute_input());
    Fill(batch.compute_infer, batch_answer->mutable_compute_infer());
    Fill(batch.compute_output, batch_answer->mutable_compute_output());
  }
}

// Why a model that was named has no statistics.
Status NotAvailable(const Service& service, const std::string& name, const Status& why) {
  if (why.code() == Code::kInvalidArgument) return why;  // the version is no number
  const std::string quoted = "'" + name + "'";
  if (!service.FindModel(name, {}).ok()) {
    return InvalidArgument("requested model " + quoted + " is not available");
  }
  return InvalidArgument("requested model version is not available for model " + quoted);
}

}  // namespace

Status ModelStatistics(const Service& service, std::string_view request, std::string* response) {
  inference::ModelStatisticsRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  inference::ModelStatisticsResponse answer;
  const std::string& name = given.name();
  ModelHandle asked;
  if (!name.empty()) {
    Result<ModelHandle> found = service.FindModel(name, given.version());
    if (!found.ok()) return NotAvailable(service, name, found.status());
    asked = std::move(found).value();
  }
  // A name without version asks for all its versions; without a name the version means nothing.
  const bool is_one = asked && !given.version().empty();
  service.repository().ForEachReady([&](Model& model) {
    const bool is_asked = is_one ? &model == asked.get() : name.empty() || model.name() == name;
    if (is_asked) FillModel(model, answer.add_model_stats());
  });
  return WriteMessage(answer, response);
}

}  // namespace pt::api
