#include "api/grpc_reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <string>
#include <vector>

#include "api/grpc_call.h"
#include "api/grpc_protobuf.h"
#include "wire/proto/health.pb.h"
#include "wire/proto/reflection_v1.pb.h"
#include "wire/proto/reflection_v1alpha.pb.h"
#include "wire/proto/service.pb.h"

namespace pt::api {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

namespace v1 = grpc::reflection::v1;

// Everything this server serves, and nothing else that may be in the process's pool.
std::vector<const FileDescriptor*> ServedFiles() {
  return {inference::ModelInferRequest::descriptor()->file()->pool()->FindFileByName(
              "wire/proto/service.proto"),
          grpc::health::v1::HealthCheckRequest::descriptor()->file(),
          v1::ServerReflectionRequest::descriptor()->file(),
          grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file()};
}

// A file after everything it imports, each once.
void CollectImports(const FileDescriptor* file, std::set<const FileDescriptor*>* known,
                    std::vector<const FileDescriptor*>* files) {
  if (!known->insert(file).second) return;
  for (int i = 0; i < file->dependency_count(); ++i) {
    CollectImports(file->dependency(i), known, files);
  }
  files->push_back(file);
}

std::vector<const FileDescriptor*> FilesWithImports(
    const std::vector<const FileDescriptor*>& roots) {
  std::set<const FileDescriptor*> known;
  std::vector<const FileDescriptor*> files;
  for (const FileDescriptor* root : roots) CollectImports(root, &known, &files);
  return files;
}

bool IsServed(const FileDescriptor* file) {
  if (file == nullptr) return false;
  for (const FileDescriptor* served : FilesWithImports(ServedFiles())) {
    if (served == file) return true;
  }
  return false;
}

void AnswerError(GrpcCode code, const std::string& text, v1::ServerReflectionResponse* answer) {
  auto* error = answer->mutable_error_response();
  error->set_error_code(static_cast<int>(code));
  error->set_error_message(text);
}

void AnswerFile(const FileDescriptor* file, const std::string& asked,
                v1::ServerReflectionResponse* answer) {
  if (!IsServed(file)) return AnswerError(GrpcCode::kNotFound, asked + " not found", answer);
  auto* files = answer->mutable_file_descriptor_response();
  // The file itself comes first, as other servers answer.
  std::vector<const FileDescriptor*> all = FilesWithImports({file});
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    google::protobuf::FileDescriptorProto proto;
    (*at)->CopyTo(&proto);
    proto.SerializeToString(files->add_file_descriptor_proto());
  }
}

void AnswerServices(v1::ServerReflectionResponse* answer) {
  auto* services = answer->mutable_list_services_response();
  for (const FileDescriptor* file : ServedFiles()) {
    for (int i = 0; i < file->service_count(); ++i) {
      services->add_service()->set_name(file->service(i)->full_name());
    }
  }
}

// proto3 messages have no extensions: the list of a known type is empty.
void AnswerExtensions(const DescriptorPool& pool, const std::string& type,
                      v1::ServerReflectionResponse* answer) {
  const auto* message = pool.FindMessageTypeByName(type);
  if (message == nullptr || !IsServed(message->file())) {
    return AnswerError(GrpcCode::kNotFound, "type " + type + " not found", answer);
  }
  answer->mutable_all_extension_numbers_response()->set_base_type_name(type);
}

void Answer(const v1::ServerReflectionRequest& given, v1::ServerReflectionResponse* answer) {
  using Request = v1::ServerReflectionRequest;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  answer->set_valid_host(given.host());
  *answer->mutable_original_request() = given;
  switch (given.message_request_case()) {
    case Request::kListServices:
      return AnswerServices(answer);
    case Request::kFileByFilename:
      return AnswerFile(pool.FindFileByName(given.file_by_filename()),
                        "file " + given.file_by_filename(), answer);
    case Request::kFileContainingSymbol:
      return AnswerFile(pool.FindFileContainingSymbol(given.file_containing_symbol()),
                        "symbol " + given.file_containing_symbol(), answer);
    case Request::kFileContainingExtension:
      return AnswerError(
          GrpcCode::kNotFound,
          "extension of " + given.file_containing_extension().containing_type() + " not found",
          answer);
    case Request::kAllExtensionNumbersOfType:
      return AnswerExtensions(pool, given.all_extension_numbers_of_type(), answer);
    case Request::MESSAGE_REQUEST_NOT_SET:
      return AnswerError(GrpcCode::kInvalidArgument, "expected a request, got none", answer);
  }
}

}  // namespace

// Both versions have the same fields with the same numbers: one code serves their bytes.
Status Reflect(const Service& service, std::string_view request, std::string* response) {
  v1::ServerReflectionRequest given;
  PT_RETURN_IF_ERROR(ParseMessage(request, &given));
  v1::ServerReflectionResponse answer;
  Answer(given, &answer);
  return WriteMessage(answer, response);
}

}  // namespace pt::api
