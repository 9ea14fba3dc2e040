# SPDX-License-Identifier: MIT
# The target xclbin: the streaming convolution for an FPGA card, by v++ of AMD's Vitis, which is no part of this build. Never
# run for want of a card: docs/fpga.md.
#   DH_XCLBIN_PLATFORM   the card's platform, as v++ --platform takes it
#   DH_XCLBIN_STREAM     CPI x CPO, rows of a frame x widest image: 8x8_128x1024
set(DH_XCLBIN_PLATFORM "" CACHE STRING "Platform of the FPGA card that the target xclbin is for")
set(DH_XCLBIN_STREAM "4x4_256x1024" CACHE STRING "What the streaming convolution takes at a time: CPIxCPO_ROWSxWIDTH")
if(DH_XCLBIN_PLATFORM)
  find_program(DH_VPP v++)
  if(NOT DH_VPP)
    message(FATAL_ERROR "DH_XCLBIN_PLATFORM is \"${DH_XCLBIN_PLATFORM}\", but there is no v++; source Vitis' settings64.sh")
  endif()
  if(NOT DH_XCLBIN_STREAM MATCHES "^([1-9][0-9]*)x([1-9][0-9]*)_([2468]|[1-9][0-9]*[02468])x([1-9][0-9]*)$")
    message(FATAL_ERROR "DH_XCLBIN_STREAM is \"${DH_XCLBIN_STREAM}\", must be CPIxCPO_ROWSxWIDTH, none of them 0, with even ROWS")
  endif()
  set(name conv_stream_${DH_XCLBIN_STREAM})
  set(kernels ${PROJECT_SOURCE_DIR}/src/fpga/kernels)
  set(options -DK_${name} -DNAME=${name} -DCPI=${CMAKE_MATCH_1} -DCPO=${CMAKE_MATCH_2} -DROWS=${CMAKE_MATCH_3}
              -DWIDTH=${CMAKE_MATCH_4})
  set(source ${PROJECT_BINARY_DIR}/${name}.cl)
  set(target -t hw --platform ${DH_XCLBIN_PLATFORM})
  add_custom_command(OUTPUT ${source} DEPENDS ${kernels}/prelude.cl ${kernels}/stream.cl VERBATIM
    COMMAND ${CMAKE_COMMAND} -E cat ${kernels}/prelude.cl ${kernels}/stream.cl > ${source})
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${name}.xo DEPENDS ${source} VERBATIM
    COMMAND ${DH_VPP} -c ${target} -k ${name} ${options} -o ${PROJECT_BINARY_DIR}/${name}.xo ${source})
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${name}.xclbin DEPENDS ${PROJECT_BINARY_DIR}/${name}.xo VERBATIM
    COMMAND ${DH_VPP} -l ${target} -o ${PROJECT_BINARY_DIR}/${name}.xclbin ${PROJECT_BINARY_DIR}/${name}.xo)
  add_custom_target(xclbin DEPENDS ${PROJECT_BINARY_DIR}/${name}.xclbin)
endif()
