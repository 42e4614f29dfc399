# The native module pytriton._core, which links the shared core beside it in the package.
#
# Works under scikit-build-core and in a plain CMake build (-DPython_EXECUTABLE=...); then a usable
# package tree stands in <build>/python.
find_package(Python 3.9 REQUIRED COMPONENTS Interpreter Development.Module)
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import numpy; print(numpy.get_include())"
  OUTPUT_VARIABLE PT_NUMPY_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT pybind11_DIR)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
    OUTPUT_VARIABLE pybind11_DIR OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 CONFIG REQUIRED)

# The module uses classes of these rooms across the border of the shared library. Calls inside the
# library stay direct.
foreach(room base tensor infer server)
  if(TARGET pt_${room})
    set_target_properties(pt_${room} PROPERTIES CXX_VISIBILITY_PRESET default)
    target_compile_options(pt_${room} PRIVATE -fno-semantic-interposition)
  endif()
endforeach()

file(GLOB PT_BINDING_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/csrc/bindings/*.cc)
pybind11_add_module(_core MODULE NO_EXTRAS ${PT_BINDING_SOURCES})
target_include_directories(_core SYSTEM PRIVATE ${PT_NUMPY_INCLUDE})
target_link_libraries(_core PRIVATE pt_core)
set(PT_PACKAGE_DIR ${PROJECT_BINARY_DIR}/python/pytriton)
set_target_properties(_core PROPERTIES
  BUILD_RPATH "$<TARGET_FILE_DIR:pt_core>" INSTALL_RPATH "$ORIGIN"
  LIBRARY_OUTPUT_DIRECTORY ${PT_PACKAGE_DIR})
set_target_properties(pt_core PROPERTIES INSTALL_RPATH "$ORIGIN")

# The clients' Cython modules: sans-I/O protocols and codecs. They don't need the core.
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import cython_cmake.cmake as c; print(list(c.__path__)[0])"
  OUTPUT_VARIABLE PT_CYTHON_CMAKE OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
list(APPEND CMAKE_MODULE_PATH ${PT_CYTHON_CMAKE})
include(UseCython)
set(PT_CYTHON_MODULES _codec _http1 _http2 _infer_proto _plain _socket)
foreach(module ${PT_CYTHON_MODULES})
  cython_transpile(csrc/bindings/${module}.pyx LANGUAGE CXX OUTPUT_VARIABLE PT_CYTHON_SOURCE
                   INCLUDE_DIRECTORIES csrc/bindings MODULE_NAME pytriton.${module})
  python_add_library(${module} MODULE ${PT_CYTHON_SOURCE} WITH_SOABI)
  set_target_properties(${module} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PT_PACKAGE_DIR})
  target_compile_options(${module} PRIVATE -w)  # generated code
  install(TARGETS ${module} LIBRARY DESTINATION pytriton COMPONENT python)
endforeach()
target_link_libraries(_http2 PRIVATE ${PYTRITON_NGHTTP2})

# What workers load, whatever their interpreter: the limited API of CPython 3.9 and newer, without the
# core, numpy or a C++ runtime. It has to lie beside libpytriton_arena.so (backends/_native.py).
file(GLOB PT_HOT_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/csrc/bindings/hot/*.cc)
add_library(_hot MODULE ${PT_HOT_SOURCES})
target_include_directories(_hot SYSTEM PRIVATE ${Python_INCLUDE_DIRS})
target_compile_definitions(_hot PRIVATE Py_LIMITED_API=0x03090000)
target_link_libraries(_hot PRIVATE pt_flags)
target_link_options(_hot PRIVATE -static-libstdc++ -static-libgcc LINKER:--exclude-libs,ALL LINKER:--gc-sections)
set_target_properties(_hot PROPERTIES PREFIX "" SUFFIX ".abi3.so" LIBRARY_OUTPUT_DIRECTORY ${PT_PACKAGE_DIR})
install(TARGETS _hot LIBRARY DESTINATION pytriton COMPONENT python)

# The package tree for tests without an installation: links to the sources beside the module.
file(GLOB PT_PACKAGE_FILES RELATIVE ${PROJECT_SOURCE_DIR}/pytriton CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/pytriton/*)
file(MAKE_DIRECTORY ${PT_PACKAGE_DIR})
foreach(file ${PT_PACKAGE_FILES})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/pytriton/${file} ${PT_PACKAGE_DIR}/${file} SYMBOLIC)
endforeach()

install(TARGETS _core LIBRARY DESTINATION pytriton COMPONENT python)
