# weft_library(NAME SOURCES a.cc b.cc DEPS other::lib …): one room of the house as a static library.
# weft_test(NAME SOURCES a_test.cc DEPS …): its unit tests as one GoogleTest binary, run by ctest from the source folder.

add_library(weft_options INTERFACE)
target_include_directories(weft_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(weft_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers
  # The reproducibility rules (docs/numerics.md): a product and a sum are fused only where the code says std::fma.
  -ffp-contract=off)
# SECURITY.md: what is left of a mistake in reading a stranger's file should be an abort, not a foothold.
target_link_options(weft_options INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
if(NOT WEFT_SANITIZE)
  target_compile_options(weft_options INTERFACE
    -fstack-protector-strong -fstack-clash-protection -D_GLIBCXX_ASSERTIONS
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)  # takes an optimiser
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # The C++ library's own stable_sort uses what it deprecates, which GCC knows to be silent about.
  target_compile_options(weft_options INTERFACE -Wno-deprecated-declarations)
endif()
if(WEFT_SANITIZE)
  target_compile_options(weft_options INTERFACE -fsanitize=${WEFT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(weft_options INTERFACE -fsanitize=${WEFT_SANITIZE})
endif()
find_program(WEFT_LLD ld.lld-19)
if(WEFT_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_link_options(weft_options INTERFACE -fuse-ld=lld)
endif()
find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE})
endif()

function(weft_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC weft_options ${ARG_DEPS})
endfunction()

function(weft_test name)
  if(NOT WEFT_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE weft_options ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  endif()
endfunction()
