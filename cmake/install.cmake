# What an installation holds: everything lies under pytriton/, which is the Python package and, for C++
# programs, the prefix to give to find_package (`python -m pytriton.cmake` prints it).
include(CMakePackageConfigHelpers)

set(PT_PACKAGE pytriton)
set(PT_CMAKE_DIR ${PT_PACKAGE}/lib/cmake/pytriton)

set_target_properties(pt_core PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS pt_core pytriton_arena pytriton_tls LIBRARY DESTINATION ${PT_PACKAGE})
install(DIRECTORY csrc/include/pytriton DESTINATION ${PT_PACKAGE}/include FILES_MATCHING PATTERN "*.h")

write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/pytriton-config-version.cmake
  VERSION ${PROJECT_VERSION}
  COMPATIBILITY SameMinorVersion)
install(FILES cmake/pytriton-config.cmake ${PROJECT_BINARY_DIR}/pytriton-config-version.cmake
        DESTINATION ${PT_CMAKE_DIR})

# What building the package needs: neither tests nor fuzzers nor the load generator.
add_custom_target(pytriton_package DEPENDS pt_core)
foreach(module _core _hot pytriton_arena pytriton_tls ${PT_CYTHON_MODULES})
  if(TARGET ${module})
    add_dependencies(pytriton_package ${module})
  endif()
endforeach()
