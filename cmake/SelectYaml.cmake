# SPDX-License-Identifier: MIT
# YAML files.
dh_part(Yaml "YAML files")
set(DH_FOUND_Yaml "off")
if(NOT DH_WANT_Yaml STREQUAL OFF)
  find_path(DH_YAML_INCLUDE yaml.h)
  find_library(DH_YAML_LIBRARY yaml)
  mark_as_advanced(DH_YAML_INCLUDE DH_YAML_LIBRARY)
  if(DH_YAML_INCLUDE AND DH_YAML_LIBRARY)
    set(DH_FOUND_Yaml "yes")
  else()
    dh_part_missing(Yaml "libyaml-dev")
  endif()
endif()
