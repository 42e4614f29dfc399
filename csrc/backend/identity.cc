#include "backend/identity.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace pt::backend {
namespace {

constexpr int64_t kMaxDelayMs = 600000;
constexpr int64_t kMaxBallast = int64_t{1} << 36;
constexpr std::streamsize kMaxContent = 4096;

void Echo(const InferRequest& request, InferResponse* response) {
  const int outputs = static_cast<int>(request.model().config().outputs.size());
  response->outputs.reserve(request.inputs.size());
  for (const InputTensor& input : request.inputs) {
    if (input.index >= outputs || !request.WantsOutput(input.index)) continue;
    response->outputs.push_back({input.index, input.tensor});
  }
}

class IdentityInstance final : public BackendInstance {
 public:
  explicit IdentityInstance(std::shared_ptr<const IdentityOptions> options)
      : options_(std::move(options)) {}

  void Execute(Batch* batch, ExecutionTimes* times) override {
    times->input_end = std::chrono::steady_clock::now();
    // The delay is what this model is for: it stands in for work.
    if (options_->execute_delay.count() > 0) std::this_thread::sleep_for(options_->execute_delay);
    batch->responses.resize(batch->requests.size());
    for (size_t i = 0; i < batch->requests.size(); ++i) {
      InferResponse& response = batch->responses[i];
      Echo(*batch->requests[i], &response);
      if (!options_->content.empty()) {
        response.parameters.emplace_back("content", options_->content);
      }
    }
    times->infer_end = std::chrono::steady_clock::now();
  }

 private:
  const std::shared_ptr<const IdentityOptions> options_;
};

// A parameter that is a number. Errors: InvalidArgument for anything else, or one out of bounds.
Result<int64_t> NumberOf(const ModelConfig& config, const std::string& name, int64_t most) {
  const auto at = config.parameters.find(name);
  if (at == config.parameters.end()) return int64_t{0};
  const std::string& text = at->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= most) {
    return value;
  }
  return InvalidArgument("expected a number from 0 to " + std::to_string(most) + " as parameter '" +
                         name + "' of model '" + config.name + "', got '" + text + "'");
}

std::string ReadContent(const std::string& version_dir) {
  std::ifstream file(version_dir + "/content.txt", std::ios::binary);
  std::string text(static_cast<size_t>(kMaxContent), '\0');
  file.read(text.data(), kMaxContent);
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class IdentityLoader final : public BackendLoader {
 public:
  explicit IdentityLoader(const VersionSource& source)
      : version_dir_(source.version_dir), control_(source.control) {}

  Result<std::string> CompleteConfig(const std::string& config_json) override {
    return config_json;
  }

  Result<std::unique_ptr<Backend>> Create(const ModelConfig& config) override {
    IdentityOptions options;
    PT_ASSIGN_OR_RETURN(const int64_t load_ms, NumberOf(config, "load_delay_ms", kMaxDelayMs));
    PT_ASSIGN_OR_RETURN(const int64_t run_ms, NumberOf(config, "execute_delay_ms", kMaxDelayMs));
    PT_ASSIGN_OR_RETURN(const int64_t ballast, NumberOf(config, "load_bytes", kMaxBallast));
    PT_RETURN_IF_ERROR(Delay(std::chrono::milliseconds(load_ms)));
    const auto failure = config.parameters.find("fail_load");
    if (failure != config.parameters.end()) return Internal(failure->second);
    options.execute_delay = std::chrono::milliseconds(run_ms);
    options.content = ReadContent(version_dir_);
    options.ballast.assign(static_cast<size_t>(ballast), 1);  // written: it is resident
    return std::unique_ptr<Backend>(std::make_unique<IdentityBackend>(std::move(options), config));
  }

 private:
  // Errors: the load was given up.
  Status Delay(std::chrono::milliseconds delay) const {
    if (delay.count() == 0) return {};
    if (control_ != nullptr) {
      return control_->WaitUntil(std::chrono::steady_clock::now() + delay);
    }
    std::this_thread::sleep_for(delay);
    return {};
  }

  const std::string version_dir_;
  const std::shared_ptr<LoadControl> control_;
};

}  // namespace

Result<std::unique_ptr<BackendInstance>> IdentityBackend::CreateInstance(int /*ordinal*/) {
  return std::unique_ptr<BackendInstance>(std::make_unique<IdentityInstance>(options_));
}

Result<InstanceChange> IdentityBackend::PlanChange(
    const ModelConfig& config, const std::shared_ptr<LoadControl>& /*control*/) {
  MutexLock lock(&mu_);
  return roster_.Plan(config);
}

void IdentityBackend::OnLeaving(int ordinal) {
  MutexLock lock(&mu_);
  roster_.Leave(ordinal);
}

void IdentityBackend::Forget(int ordinal) {
  MutexLock lock(&mu_);
  roster_.Forget(ordinal);
}

Result<std::unique_ptr<BackendLoader>> OpenIdentity(const VersionSource& source) {
  return std::unique_ptr<BackendLoader>(std::make_unique<IdentityLoader>(source));
}

}  // namespace pt::backend
