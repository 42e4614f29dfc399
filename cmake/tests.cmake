# One test program a room, linked with the objects of the rooms it may know.
find_package(GTest REQUIRED)
include(GoogleTest)

# A fake of NVIDIA's driver library (tests/fake_cuda/fake_cuda.h says what it can do).
file(GLOB PT_FAKE_CUDA CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fake_cuda/*.cc)
add_library(fake_cuda SHARED ${PT_FAKE_CUDA})
set_target_properties(fake_cuda PROPERTIES
  OUTPUT_NAME cuda SOVERSION 1 LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fake_cuda)
target_link_libraries(fake_cuda PRIVATE ${CMAKE_DL_LIBS})
find_path(PYTRITON_CUDA_INCLUDE cuda.h
  PATHS /usr/local/cuda/include ${PROJECT_SOURCE_DIR}/build/perf-analyzer/nvidia/cuda_runtime/include
  NO_DEFAULT_PATH)

foreach(room ${PT_ROOMS})
  file(GLOB tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/csrc/${room}/*_test.cc)
  if(NOT tests)
    continue()
  endif()
  file(GLOB kit CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/csrc/${room}/*_kit.cc)
  add_executable(test_${room} ${tests} ${kit})
  target_include_directories(test_${room} PRIVATE ${PROJECT_SOURCE_DIR}/tests/csrc)
  if(room STREQUAL "net") # makes certificates, and speaks TLS with a copy of OpenSSL of its own
    target_link_libraries(test_${room} PRIVATE OpenSSL::SSL OpenSSL::Crypto)
  endif()
  if(room MATCHES "net|server")
    add_dependencies(test_${room} pytriton_tls)
  endif()
  if(room STREQUAL "backend") # starts workers, which are Python programs of the sources
    target_compile_definitions(test_${room} PRIVATE PT_TEST_SOURCES="${PROJECT_SOURCE_DIR}")
  endif()
  if(room STREQUAL "tensor") # has no GPU: a fake driver, and the real header where there is one
    target_compile_definitions(test_${room} PRIVATE PT_FAKE_CUDA="$<TARGET_FILE:fake_cuda>")
    add_dependencies(test_${room} fake_cuda)
    if(PYTRITON_CUDA_INCLUDE)
      target_include_directories(test_${room} SYSTEM PRIVATE ${PYTRITON_CUDA_INCLUDE})
    endif()
  endif()
  target_link_libraries(test_${room} PRIVATE pt_flags GTest::gtest_main ${PT_LIBRARIES} Boost::boost)
  foreach(needed ${PT_NEEDS_${room}})
    if(TARGET pt_${needed})
      target_sources(test_${room} PRIVATE $<TARGET_OBJECTS:pt_${needed}>)
    endif()
  endforeach()
  if(TARGET pt_proto)
    target_sources(test_${room} PRIVATE $<TARGET_OBJECTS:pt_proto>)
    target_include_directories(test_${room} SYSTEM PRIVATE ${PT_PROTO_DIR})
  endif()
  gtest_discover_tests(test_${room} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${room}.)
endforeach()
