// The shared memory extensions over REST (spec/triton-frontend 1.8).

#include <string>
#include <utility>

#include "api/region_use.h"
#include "api/rest_handlers.h"
#include "api/rest_reply.h"
#include "wire/base64.h"
#include "wire/json_reader.h"
#include "wire/json_writer.h"

namespace pt::api {
namespace {

using wire::JsonDocument;
using wire::JsonValue;
using wire::JsonWriter;

void Answer(RestCall& call, const Status& status) {
  call.sink->Send(status.ok() ? EmptyReply(200, kJsonType) : ErrorReply(status, kJsonType));
}

Result<uint64_t> UnsignedMember(JsonValue root, std::string_view key) {
  Result<uint64_t> number = root.Find(key).AsUint64();
  if (!number.ok()) return wire::UnableToParse(key, number.status());
  return number;
}

Status MissingField(std::string_view key) {
  return InvalidArgument("Shared memory register request has no '" + std::string(key) + "' field");
}

Result<ShmRegionSpec> ReadSystemSpec(std::string_view name, JsonValue root) {
  ShmRegionSpec spec;
  spec.name = name;
  const JsonValue key = root.Find("key");
  if (!key) return MissingField("key");
  const Result<std::string_view> text = key.AsString();
  if (!text.ok()) return wire::UnableToParse("key", text.status());
  spec.key = *text;
  if (root.Find("offset")) {
    PT_ASSIGN_OR_RETURN(spec.offset, UnsignedMember(root, "offset"));
  }
  if (!root.Find("byte_size")) return MissingField("byte_size");
  PT_ASSIGN_OR_RETURN(spec.byte_size, UnsignedMember(root, "byte_size"));
  return spec;
}

Result<std::string> ReadHandle(JsonValue root) {
  const JsonValue handle = root.Find("raw_handle");
  if (!handle) return MissingField("raw_handle");
  if (!handle.is_object()) return handle.ErrorHere("attempt to access JSON non-object as object");
  const JsonValue encoded = handle.Find("b64");
  if (!encoded) return MissingField("raw_handle.b64");
  const Result<std::string_view> text = encoded.AsString();
  if (!text.ok()) return wire::UnableToParse("b64", text.status());
  Result<std::string> bytes = wire::DecodeBase64(*text);
  if (bytes.ok() && bytes->size() == CudaIpcHandle::kSize) return bytes;
  return InvalidArgument("'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t");
}

Result<CudaRegionSpec> ReadCudaSpec(std::string_view name, JsonValue root) {
  CudaRegionSpec spec;
  spec.name = name;
  PT_ASSIGN_OR_RETURN(spec.handle, ReadHandle(root));
  const JsonValue device = root.Find("device_id");
  if (!device) return MissingField("device_id");
  const Result<int64_t> number = device.AsInt64();
  if (!number.ok()) return wire::UnableToParse("device_id", number.status());
  spec.device = *number;
  if (!root.Find("byte_size")) return MissingField("byte_size");
  PT_ASSIGN_OR_RETURN(spec.byte_size, UnsignedMember(root, "byte_size"));
  return spec;
}

Status Register(RestCall& call, RegionKind kind) {
  RegionTable* regions = call.service().regions();
  if (regions == nullptr) return Unsupported(std::string(kNoClientMemory));
  const bool is_system = kind == RegionKind::kSystem;
  if (call.path.region.empty()) {
    return InvalidArgument("'region name' is necessary to register " +
                           std::string(is_system ? "system" : "cuda") + " shared memory region");
  }
  JsonDocument document(call.service().options().max_json_depth);
  PT_RETURN_IF_ERROR(document.Parse(call.body.view()));
  const JsonValue root = document.root();
  if (!root.is_object()) return root.ErrorHere("attempt to access JSON non-object as object");
  if (is_system) {
    PT_ASSIGN_OR_RETURN(ShmRegionSpec spec, ReadSystemSpec(call.path.region, root));
    return regions->RegisterSystem(std::move(spec));
  }
  PT_ASSIGN_OR_RETURN(CudaRegionSpec spec, ReadCudaSpec(call.path.region, root));
  return regions->RegisterCuda(std::move(spec));
}

void WriteStatus(const Region& region, JsonWriter* writer) {
  writer->Raw("{\"name\":").String(region.name());
  if (region.kind() == RegionKind::kSystem) {
    const auto& system = static_cast<const ShmRegion&>(region);
    writer->Raw(",\"key\":").String(system.key());
    writer->Raw(",\"offset\":").Integer(system.offset());
  } else {
    const auto device = static_cast<uint64_t>(static_cast<const CudaRegion&>(region).device());
    writer->Raw(",\"device_id\":").Integer(device);
  }
  writer->Raw(",\"byte_size\":").Integer(region.byte_size()).Raw("}");
}

void SendStatus(RestCall& call, RegionKind kind) {
  std::vector<RegionRef> found;
  if (call.service().regions() != nullptr) {
    Result<std::vector<RegionRef>> listed = call.service().regions()->List(kind, call.path.region);
    if (!listed.ok()) return Answer(call, listed.status());
    found = std::move(listed).value();
  }
  JsonWriter writer(call.context.pool);
  writer.Raw("[");
  for (size_t i = 0; i < found.size(); ++i) {
    if (i > 0) writer.Raw(",");
    WriteStatus(*found[i], &writer);
  }
  writer.Raw("]");
  call.sink->Send(JsonReply(std::move(writer)));
}

void Unregister(RestCall& call, RegionKind kind) {
  if (call.service().regions() != nullptr) {
    call.service().regions()->Unregister(kind, call.path.region);
  }
  Answer(call, {});
}

}  // namespace

void HandleSystemMemoryStatus(RestCall& call) { SendStatus(call, RegionKind::kSystem); }

void HandleSystemMemoryRegister(RestCall& call) {
  Answer(call, Register(call, RegionKind::kSystem));
}

void HandleSystemMemoryUnregister(RestCall& call) { Unregister(call, RegionKind::kSystem); }

void HandleCudaMemoryStatus(RestCall& call) { SendStatus(call, RegionKind::kCuda); }

void HandleCudaMemoryRegister(RestCall& call) { Answer(call, Register(call, RegionKind::kCuda)); }

void HandleCudaMemoryUnregister(RestCall& call) { Unregister(call, RegionKind::kCuda); }

}  // namespace pt::api
