# weft::runtime is the shared library, which needs nothing further to link with.
include(${CMAKE_CURRENT_LIST_DIR}/weftTargets.cmake)
