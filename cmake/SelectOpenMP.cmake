# SPDX-License-Identifier: MIT
# The thread team. Without OpenMP everything runs on the caller's thread.
dh_part(OpenMP "Threads")
set(DH_FOUND_OpenMP "off")
if(NOT DH_WANT_OpenMP STREQUAL OFF)
  find_package(OpenMP QUIET COMPONENTS C)
  if(OpenMP_C_FOUND)
    set(DH_FOUND_OpenMP "yes")
  else()
    dh_part_missing(OpenMP "libgomp, or libomp-dev for clang")
  endif()
endif()
