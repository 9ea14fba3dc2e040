# SPDX-License-Identifier: MIT
# Downloads. Only libcurl's headers are used; the library is opened when first asked for.
dh_part(Curl "downloads")
set(DH_FOUND_Curl "off")
if(NOT DH_WANT_Curl STREQUAL OFF)
  find_path(DH_CURL_INCLUDE curl/curl.h)
  mark_as_advanced(DH_CURL_INCLUDE)
  if(DH_CURL_INCLUDE)
    set(DH_FOUND_Curl "headers; opened at run time")
  else()
    dh_part_missing(Curl "libcurl4-openssl-dev")
  endif()
endif()
