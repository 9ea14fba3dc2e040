# SPDX-License-Identifier: MIT
# OpenCL devices. Only the headers are used; the ICD loader is opened when a device is first asked for.
dh_part(OpenCL "OpenCL devices, FPGAs among them")
set(DH_FOUND_OpenCL "off")
if(NOT DH_WANT_OpenCL STREQUAL OFF)
  find_path(DH_OPENCL_INCLUDE CL/cl.h)
  mark_as_advanced(DH_OPENCL_INCLUDE)
  if(DH_OPENCL_INCLUDE)
    set(DH_FOUND_OpenCL "headers; opened at run time")
  else()
    dh_part_missing(OpenCL "opencl-headers")
  endif()
endif()
