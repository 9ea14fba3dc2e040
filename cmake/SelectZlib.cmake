# SPDX-License-Identifier: MIT
# Gzip files and compressed .npz.
dh_part(Zlib "gzip files")
set(DH_FOUND_Zlib "off")
if(NOT DH_WANT_Zlib STREQUAL OFF)
  find_package(ZLIB QUIET)
  if(ZLIB_FOUND)
    set(DH_FOUND_Zlib "yes")
  else()
    dh_part_missing(Zlib "zlib1g-dev")
  endif()
endif()
