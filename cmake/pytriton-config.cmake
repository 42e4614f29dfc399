# find_package(pytriton): the target pytriton::pytriton, the server as a C++ library.
# The folder layout is that of the Python package: this file lies in <prefix>/lib/cmake/pytriton.
include(CMakeFindDependencyMacro)
find_dependency(Threads)

get_filename_component(_pytriton_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET pytriton::pytriton)
  add_library(pytriton::pytriton SHARED IMPORTED)
  set_target_properties(
    pytriton::pytriton
    PROPERTIES IMPORTED_LOCATION "${_pytriton_prefix}/libpytriton.so"
               INTERFACE_INCLUDE_DIRECTORIES "${_pytriton_prefix}/include"
               INTERFACE_LINK_LIBRARIES Threads::Threads)
  target_compile_features(pytriton::pytriton INTERFACE cxx_std_17)
  # A repaired wheel carries the libraries that libpytriton.so needs beside the package; the linker
  # must be told where they are (at run time libpytriton.so itself knows).
  get_filename_component(_pytriton_libs "${_pytriton_prefix}/../pytriton.libs" ABSOLUTE)
  if(IS_DIRECTORY "${_pytriton_libs}")
    target_link_options(pytriton::pytriton INTERFACE "LINKER:-rpath-link,${_pytriton_libs}")
  endif()
endif()
unset(_pytriton_prefix)
unset(_pytriton_libs)
