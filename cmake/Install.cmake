# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
set(DH_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/DeepHealth)

install(TARGETS deephealth EXPORT DeepHealthTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS deephealth_static ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/deephealth.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/deephealth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(EXPORT DeepHealthTargets NAMESPACE DeepHealth:: DESTINATION ${DH_CMAKE_DIR})
configure_package_config_file(cmake/DeepHealthConfig.cmake.in ${PROJECT_BINARY_DIR}/DeepHealthConfig.cmake
                              INSTALL_DESTINATION ${DH_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/DeepHealthConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/DeepHealthConfig.cmake
              ${PROJECT_BINARY_DIR}/DeepHealthConfigVersion.cmake DESTINATION ${DH_CMAKE_DIR})

# Flags for those who link the static library through pkg-config.
set(DH_PC_PRIVATE "-lm -ldl -lpthread")
if(DH_FOUND_OpenMP STREQUAL yes)
  string(APPEND DH_PC_PRIVATE " ${OpenMP_C_FLAGS}")
endif()
if(DH_FOUND_Zlib STREQUAL yes)
  string(APPEND DH_PC_PRIVATE " -lz")
endif()
if(DH_FOUND_Yaml STREQUAL yes)
  string(APPEND DH_PC_PRIVATE " -lyaml")
endif()
configure_file(cmake/deephealth.pc.in ${PROJECT_BINARY_DIR}/deephealth.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/deephealth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
