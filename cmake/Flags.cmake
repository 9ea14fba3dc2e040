# SPDX-License-Identifier: MIT
# Flags of every object of the library and its tests.
add_library(dh_flags INTERFACE)
target_compile_definitions(dh_flags INTERFACE _GNU_SOURCE)
target_compile_options(dh_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes
  -ffp-contract=off -fno-math-errno -fno-trapping-math)
if(DH_WERROR)
  target_compile_options(dh_flags INTERFACE -Werror)
endif()

# On x86-64 the kernels are compiled for three instruction sets and chosen at run time.
set(DH_X86 OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  set(DH_X86 ON)
  target_compile_definitions(dh_flags INTERFACE DH_HAVE_X86_ISA=1)
endif()

# A part that may be left out: DH_<NAME>=AUTO|ON|OFF.
function(dh_part name text)
  string(TOUPPER ${name} upper)
  set(DH_${upper} AUTO CACHE STRING "${text}: AUTO, ON or OFF")
  set_property(CACHE DH_${upper} PROPERTY STRINGS AUTO ON OFF)
  set(DH_WANT_${name} ${DH_${upper}} PARENT_SCOPE)
endfunction()

function(dh_part_missing name package)
  if(DH_WANT_${name} STREQUAL ON)
    message(FATAL_ERROR "${name} was asked for and is not there; it is in ${package}")
  endif()
  set(DH_FOUND_${name} "no (${package})" PARENT_SCOPE)
endfunction()
