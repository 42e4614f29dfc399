# The rooms of the core: one object library each, so that a room can be built and tested alone, and one
# shared library of all of them. The floors (who may include whom) are checked by tests/lint.

add_library(pt_flags INTERFACE)
target_include_directories(pt_flags INTERFACE ${PROJECT_SOURCE_DIR}/csrc ${PROJECT_SOURCE_DIR}/csrc/include)
target_compile_options(pt_flags INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(CMAKE_UNITY_BUILD) # a file's Impl may hold what only this file names, also when it is included by another
  target_compile_options(pt_flags INTERFACE -Wno-subobject-linkage)
endif()
target_compile_definitions(pt_flags INTERFACE PT_VERSION="${PROJECT_VERSION}")
target_link_libraries(pt_flags INTERFACE Threads::Threads)

# Generated protobuf code: cold paths only.
file(GLOB PT_PROTOS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/csrc/wire/proto/*.proto)
if(PT_PROTOS)
  set(PT_PROTO_DIR ${PROJECT_BINARY_DIR}/proto)
  set(PT_PROTO_SOURCES)
  foreach(proto ${PT_PROTOS})
    get_filename_component(stem ${proto} NAME_WE)
    add_custom_command(
      OUTPUT ${PT_PROTO_DIR}/wire/proto/${stem}.pb.cc ${PT_PROTO_DIR}/wire/proto/${stem}.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PT_PROTO_DIR}
      COMMAND protobuf::protoc --cpp_out=${PT_PROTO_DIR} -I ${PROJECT_SOURCE_DIR}/csrc ${proto}
      DEPENDS ${PT_PROTOS})
    list(APPEND PT_PROTO_SOURCES ${PT_PROTO_DIR}/wire/proto/${stem}.pb.cc)
  endforeach()
  add_custom_target(pt_proto_headers DEPENDS ${PT_PROTO_SOURCES}) # all that clang-tidy needs built
  add_library(pt_proto OBJECT ${PT_PROTO_SOURCES})
  add_dependencies(pt_proto pt_proto_headers)
  target_include_directories(pt_proto SYSTEM PUBLIC ${PT_PROTO_DIR})
  target_compile_options(pt_proto PRIVATE -w $<$<CONFIG:Debug>:-g0>)
  set_target_properties(pt_proto PROPERTIES UNITY_BUILD OFF) # its files share names
  if(PYTRITON_SANITIZE STREQUAL "address") # checks of generated code double its price; the library below has none
    target_compile_options(pt_proto PRIVATE -fno-sanitize=all)
  endif()
  target_link_libraries(pt_proto PUBLIC protobuf::libprotobuf)
endif()

set(PT_ROOMS base net wire tensor infer schedule backend repo api server)
# Rooms that room X needs at link time when it is tested alone.
set(PT_NEEDS_base base)
set(PT_NEEDS_net net base)
set(PT_NEEDS_wire wire base)
set(PT_NEEDS_tensor tensor base)
set(PT_NEEDS_infer infer tensor base)
set(PT_NEEDS_schedule schedule infer tensor base)
set(PT_NEEDS_backend backend infer tensor base)
set(PT_NEEDS_repo repo infer wire tensor base)
set(PT_NEEDS_api api repo infer wire tensor base)
set(PT_NEEDS_server ${PT_ROOMS})

set(PT_CORE_OBJECTS)
set(PT_LIBRARIES protobuf::libprotobuf ZLIB::ZLIB spdlog::spdlog simdjson::simdjson ${PYTRITON_NGHTTP2} ${PYTRITON_YAML}
    ${CMAKE_DL_LIBS})
foreach(room ${PT_ROOMS})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/csrc/${room}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_exports\\.cc$") # of a library of its own
  if(sources)
    add_library(pt_${room} OBJECT ${sources})
    target_link_libraries(pt_${room} PUBLIC pt_flags PRIVATE spdlog::spdlog simdjson::simdjson Boost::boost)
    if(TARGET pt_proto)
      target_include_directories(pt_${room} SYSTEM PRIVATE ${PT_PROTO_DIR})
      add_dependencies(pt_${room} pt_proto)
    endif()
    list(APPEND PT_CORE_OBJECTS $<TARGET_OBJECTS:pt_${room}>)
  endif()
endforeach()
if(TARGET pt_proto)
  list(APPEND PT_CORE_OBJECTS $<TARGET_OBJECTS:pt_proto>)
endif()

add_library(pt_core SHARED ${PT_CORE_OBJECTS})
set_target_properties(pt_core PROPERTIES OUTPUT_NAME pytriton)
target_link_libraries(pt_core PUBLIC pt_flags PRIVATE ${PT_LIBRARIES})

# What workers load, whatever their interpreter: needs neither Python nor a C++ runtime.
add_library(pytriton_arena SHARED ${PROJECT_SOURCE_DIR}/csrc/backend/worker_arena.cc
            ${PROJECT_SOURCE_DIR}/csrc/backend/worker_arena_exports.cc)
target_link_libraries(pytriton_arena PRIVATE pt_flags)
target_link_options(pytriton_arena PRIVATE -static-libstdc++ -static-libgcc)
set_target_properties(pytriton_arena PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/python/pytriton)

# OpenSSL and what uses it: loaded by net/tls_library.h when somebody uses TLS, from beside libpytriton.so.
file(GLOB PT_TLS_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/csrc/tls/*.cc)
add_library(pytriton_tls SHARED ${PT_TLS_SOURCES})
target_link_libraries(pytriton_tls PRIVATE pt_flags OpenSSL::SSL OpenSSL::Crypto)
target_link_options(pytriton_tls PRIVATE LINKER:--exclude-libs,ALL LINKER:--gc-sections)
