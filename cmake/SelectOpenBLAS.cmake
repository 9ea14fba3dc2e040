# SPDX-License-Identifier: MIT
# LAPACK and the selectable GEMM, opened when first asked for: nothing to find or link at build time.
dh_part(OpenBLAS "LAPACK and the selectable GEMM, opened at run time")
if(DH_WANT_OpenBLAS STREQUAL OFF)
  set(DH_FOUND_OpenBLAS "off")
  set(DH_HAVE_OPENBLAS 0)
else()
  set(DH_FOUND_OpenBLAS "at run time")
  set(DH_HAVE_OPENBLAS 1)
endif()
